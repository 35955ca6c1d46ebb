package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// peerEndpoints are what processes ask each other to answer for the whole platform. They are no part of the public API, and may
// change with every version.
func (s *Server) peerEndpoints() []endpoint {
	return []endpoint{
		{http.MethodGet, "/peers/trace", Process, "What a service knows about some events", nil, answering[traceAnswer](s.peerTrace)},
		{http.MethodGet, "/peers/outbox", Process, "What a service committed after a position", nil, answering[outboxPage](s.peerOutbox)},
		{http.MethodPost, "/peers/erase", Admin, "Part of an erasure: erase a customer's personal data in one service", nil,
			action{body: erasedCustomer{}, status: http.StatusOK, answer: peerErased{}, handle: s.peerErase}},
	}
}

// asked is the service that a question of another process is about.
func (s *Server) asked(c *gin.Context) (*router.Service, bool) {
	c.Request.Header.Set(forwardedHeader, "1") // such a question is never passed on
	return s.of(c, c.Query("service"))
}

func (s *Server) peerTrace(c *gin.Context) {
	service, ok := s.asked(c)
	if !ok {
		return
	}
	q := traceQuestion{correlation: c.Query("correlation_id"), key: c.Query("key")}
	ids := c.QueryArray("of")
	if text := c.Query("event_id"); text != "" {
		ids = append(ids, ":"+text)
	}
	for _, text := range ids {
		eventType, id, _ := strings.Cut(text, ":")
		parsed, err := uuid.Parse(id)
		switch {
		case err != nil:
			problem(c, http.StatusUnprocessableEntity, store.InvalidValue, id+" is no event id")
			return
		case eventType == "":
			q.event = parsed
		default:
			q.of = append(q.of, eventRef{parsed, eventType})
		}
	}
	answer, err := s.answerTrace(c.Request.Context(), service.Name(), q)
	if err != nil {
		s.refuse(c, err)
		return
	}
	writeJSON(c, http.StatusOK, answer)
}

func (q traceQuestion) query(service string) url.Values {
	v := url.Values{"service": {service}}
	switch {
	case len(q.of) > 0:
		for _, ref := range q.of {
			v.Add("of", ref.eventType+":"+ref.id.String())
		}
	case q.event != uuid.Nil:
		v.Set("event_id", q.event.String())
	case q.correlation != "":
		v.Set("correlation_id", q.correlation)
	default:
		v.Set("key", q.key)
	}
	return v
}

// ask puts a question to every peer that has answered so far.
func (t *tracing) ask(q traceQuestion) []traceAnswer {
	answers, errs := make([]traceAnswer, len(t.peers)), make([]error, len(t.peers))
	var asked sync.WaitGroup
	for i, p := range t.peers {
		if t.lost[p.Service] == nil {
			asked.Go(func() { errs[i] = t.asker.get(t.ctx, p, "/peers/trace", q.query(p.Service), askTimeout, &answers[i]) })
		}
	}
	asked.Wait()
	for i, err := range errs {
		if err != nil {
			t.lost[t.peers[i].Service], answers[i] = err, traceAnswer{}
		}
	}
	for _, a := range answers {
		for _, e := range append(a.Published, a.Foreign...) {
			e.id, _ = uuid.Parse(e.EventID) // of a string that a server of ours made from one
		}
	}
	return answers
}

const (
	outboxWait  = 10 * time.Second // how long a process waits for news before it tells another that there are none
	outboxBytes = 4 << 20          // after so much, an answer is long enough
)

// outboxPage is a part of a service's outbox, in commit order.
type outboxPage struct {
	Rows     []outboxRow `json:"rows"`
	Last     int64       `json:"last"`     // with no position given: the newest row
	Recorded int64       `json:"recorded"` // with topics but no position given: how many rows there are
}

type outboxRow struct {
	ID            int64     `json:"id"`
	OccurredAt    time.Time `json:"occurred_at"`
	CorrelationID string    `json:"correlation_id"`
	EventID       string    `json:"event_id"`
	Topic         string    `json:"topic"`
	Key           string    `json:"key"`
	Sequence      int64     `json:"sequence,omitzero"`
	CausationID   string    `json:"causation_id,omitzero"`
	Payload       string    `json:"payload"` // a string, so that not one byte of it changes
}

// peerOutbox gives what a service committed after a position. With wait, it holds the answer back until there is something.
func (s *Server) peerOutbox(c *gin.Context) {
	service, ok := s.asked(c)
	if !ok {
		return
	}
	page, err := s.outboxPage(c, service.Store())
	if err != nil {
		s.refuse(c, err)
		return
	}
	writeJSON(c, http.StatusOK, page)
}

func (s *Server) outboxPage(c *gin.Context, st *store.Store) (page outboxPage, err error) {
	page.Rows = []outboxRow{}
	if c.Query("after") == "" {
		err = st.View(c.Request.Context(), func(ctx context.Context, r store.Reader) (err error) {
			if page.Last, err = store.LastRow(ctx, r); err == nil {
				page.Recorded, err = store.CountRecorded(ctx, r, 0, c.QueryArray("topic")...)
			}
			return err
		})
		return page, err
	}
	after, err := strconv.ParseInt(c.Query("after"), 10, 64)
	if err != nil {
		return page, store.Refuse(store.InvalidValue, "", "after must be a row of the outbox")
	}
	limit, err := strconv.Atoi(cmpOr(c.Query("limit"), strconv.Itoa(streamBatch)))
	if err != nil || limit < 1 || limit > recordedPage {
		return page, store.Refuse(store.InvalidValue, "", "limit must be between 1 and %d", recordedPage)
	}
	news, stop := newsOf(st)
	defer stop()
	patience := time.NewTimer(outboxWait)
	defer patience.Stop()
	for over := c.Query("wait") != "true"; ; {
		if page.Rows, err = outboxAfter(c.Request.Context(), st, after, limit, c.QueryArray("topic")); err != nil || len(page.Rows) > 0 || over {
			return page, err
		}
		select {
		case <-news:
		case <-patience.C:
			over = true
		case <-s.closed:
			over = true
		case <-c.Request.Context().Done():
			return page, c.Request.Context().Err()
		}
	}
}

func outboxAfter(ctx context.Context, st *store.Store, after int64, limit int, topics []string) ([]outboxRow, error) {
	found := []outboxRow{}
	size := 0
	err := st.View(ctx, func(ctx context.Context, r store.Reader) error {
		rows, err := store.Recorded(ctx, r, after, limit, topics...)
		for _, row := range rows {
			if size += len(row.Payload); size > outboxBytes && len(found) > 0 {
				break
			}
			found = append(found, outboxRow{
				ID: row.ID, OccurredAt: row.OccurredAt, CorrelationID: row.CorrelationID, EventID: row.EventID.String(), Topic: row.Topic, Key: row.Key, Sequence: row.Sequence,
				CausationID: row.CausationID, Payload: string(row.Payload),
			})
		}
		return err
	})
	return found, err
}

// newsOf tells of commits, until stop.
func newsOf(stores ...*store.Store) (news chan struct{}, stop func()) {
	news = make(chan struct{}, 1)
	var stops []func()
	for _, st := range stores {
		stops = append(stops, st.OnPublished(func() { wake(news) }))
	}
	return news, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

func wake(news chan struct{}) {
	select {
	case news <- struct{}{}:
	default:
	}
}
