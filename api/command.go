package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

const (
	idempotencyHeader = "Idempotency-Key"
	replayedHeader    = "Idempotency-Replayed"
)

// result is what a command answers.
type result struct {
	status        int // of the endpoint
	body          any
	location      string
	etag          string
	correlationID string // of an existing entity; the request's if empty
}

// nothing is the body or the answer of what has none.
type nothing struct{}

// reply is what a command answers: the body, and headers.
type reply[A any] struct {
	body          A
	location      string
	etag          string
	correlationID string // of an existing entity; the request's if empty
}

// command is an action that changes a service in its own transaction: body, checks, idempotency, answer. check finds in a
// well-formed body what the rules forbid; it may be nil. A command without an answer gives nothing.
func command[B, A any](s *Server, service string, status int, check func(c *requestCheck, body B), run func(ctx context.Context, tx *store.Tx, c *gin.Context, body B) (reply[A], error)) action {
	handle := func(c *gin.Context) {
		at, ok := s.of(c, service)
		if !ok {
			return
		}
		body, raw, err := requestBody(c, s.MaxBody, check)
		if err != nil {
			s.refuse(c, err)
			return
		}
		s.runOnce(c, at.Store(), raw, func(ctx context.Context, tx *store.Tx) (result, error) {
			r, err := run(ctx, tx, c, body)
			answer := result{status: status, location: r.location, etag: r.etag, correlationID: r.correlationID}
			if _, none := any(r.body).(nothing); !none {
				answer.body = r.body
			}
			return answer, err
		})
	}
	return action{service: service, body: sampleOf[B](), status: status, answer: sampleOf[A](), handle: handle}
}

// sampleOf is the zero value of a body, nil for nothing.
func sampleOf[T any]() any {
	var sample T
	if _, none := any(sample).(nothing); none {
		return nil
	}
	return sample
}

// readBody reads a request's body up to a limit. More of a longer one is read away: while its sender still writes, closing the
// connection would reset it, and the sender would not see the answer.
func readBody(c *gin.Context, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, limit))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		_, _ = io.CopyN(io.Discard, c.Request.Body, 8*limit) // the answer is the same, whatever comes
	}
	return raw, err
}

// requestBody reads the body of a request and holds it to the rules of its tags, and to check, which may be nil. What may be left out altogether may come without any.
func requestBody[B any](c *gin.Context, limit int64, check func(c *requestCheck, body B)) (body B, raw []byte, err error) {
	if raw, err = readBody(c, limit); err != nil {
		return body, nil, err
	}
	if len(raw) == 0 && c.Request.Method != http.MethodPut {
		raw = []byte("{}")
	}
	if body, err = events.Parse[B](raw); err != nil {
		return body, raw, err
	}
	var rc requestCheck
	if check != nil {
		check(&rc, body)
	}
	return body, raw, events.Check(body, rc.problems...)
}

// runOnce runs a command once per Idempotency-Key: a repetition gets the first answer.
func (s *Server) runOnce(c *gin.Context, st *store.Store, raw []byte, run func(ctx context.Context, tx *store.Tx) (result, error)) {
	scope, keyed := s.scope(c)
	if keyed {
		if !s.begin(scope) {
			problem(c, http.StatusConflict, "idempotency_key_running", "the first request with this "+idempotencyHeader+" still runs")
			return
		}
		defer s.end(scope)
		if s.replayed(c, st, scope, raw) {
			return
		}
	}
	var answer result
	var kept store.Answer
	err := st.Do(c.Request.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		if answer, err = run(ctx, tx); err != nil {
			return err
		}
		if kept, err = pack(answer, raw); err != nil || !keyed {
			return err
		}
		return tx.KeepAnswer(ctx, scope, kept)
	})
	if errors.Is(err, store.ErrKeyTaken) && s.replayed(c, st, scope, raw) {
		return
	}
	if err != nil {
		s.refuse(c, err)
		return
	}
	if request := store.OriginFrom(c.Request.Context()).RequestID; answer.correlationID != "" && answer.correlationID != request {
		s.Logger.Info("command on an existing entity", "path", c.Request.URL.Path, "correlation_id", answer.correlationID, "request_id", request)
	}
	send(c, kept)
}

// scope is what an Idempotency-Key is unique in: method, path and caller.
func (s *Server) scope(c *gin.Context) (string, bool) {
	key := c.GetHeader(idempotencyHeader)
	if key == "" || c.Request.Method != http.MethodPost {
		return "", false
	}
	return c.Request.Method + " " + c.Request.URL.Path + " " + s.identity(c) + " " + key, true
}

func (s *Server) begin(scope string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[scope] {
		return false
	}
	s.running[scope] = true
	return true
}

func (s *Server) end(scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.running, scope)
}

// replayed sends the stored first answer, if there is one.
func (s *Server) replayed(c *gin.Context, st *store.Store, scope string, raw []byte) bool {
	var answer store.Answer
	var found bool
	err := st.View(c.Request.Context(), func(ctx context.Context, r store.Reader) (err error) {
		answer, found, err = store.StoredAnswer(ctx, r, scope)
		return err
	})
	if err != nil {
		s.refuse(c, err)
		return true
	}
	if !found {
		return false
	}
	sum := sha256.Sum256(raw)
	if string(answer.Request) != string(sum[:]) {
		problem(c, http.StatusUnprocessableEntity, "idempotency_key_reused", "this "+idempotencyHeader+" was used with another body")
		return true
	}
	c.Header(replayedHeader, "true")
	send(c, answer)
	return true
}

// pack turns a result into what is stored and sent.
func pack(r result, raw []byte) (a store.Answer, err error) {
	headers := map[string]string{}
	for name, value := range map[string]string{"Location": r.location, "ETag": r.etag, correlationHeader: r.correlationID} {
		if value != "" {
			headers[name] = value
		}
	}
	header, err := json.Marshal(headers, json.Deterministic(true))
	if err != nil {
		return a, err
	}
	sum := sha256.Sum256(raw)
	a = store.Answer{Request: sum[:], Status: r.status, Header: string(header), Body: []byte{}}
	if r.body != nil {
		a.Body, err = json.Marshal(r.body, json.Deterministic(true))
	}
	return a, err
}

func send(c *gin.Context, a store.Answer) {
	var headers map[string]string
	if err := json.Unmarshal([]byte(a.Header), &headers); err == nil {
		for name, value := range headers {
			c.Header(name, value)
		}
	}
	if len(a.Body) == 0 {
		c.Status(a.Status)
		c.Writer.WriteHeaderNow()
		return
	}
	c.Data(a.Status, "application/json", a.Body)
}

// requestCheck collects what is wrong with a well-formed body beyond the rules of its tags.
type requestCheck struct{ problems []events.Problem }

func (c *requestCheck) wrong(path, detail string) {
	c.problems = append(c.problems, events.Problem{Path: path, Code: events.InvalidValue, Detail: detail})
}

func (c *requestCheck) id(path, value string) {
	if !events.ValidID(value) {
		c.wrong(path, "must be 1–128 printable characters")
	}
}
