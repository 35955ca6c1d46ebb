package api

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

const ndjsonType = "application/x-ndjson"

func (s *Server) eventEndpoints() []endpoint {
	eventType := parameter{name: "type", sample: "", doc: "an event type, as in order.created"}
	recordedType := eventType
	recordedType.required = true
	return []endpoint{
		{http.MethodPost, "/events", Publisher, "Publish events: one, an array, or NDJSON; all of them or none",
			[]parameter{{name: "dry_run", sample: false, doc: "check only; nothing is published"}},
			action{body: jsontext.Value{}, status: http.StatusAccepted, answer: acceptedBody{}, handle: s.publish}},
		{http.MethodGet, "/events/stream", Viewer, "Events as they are committed, as server-sent events", []parameter{
			eventType,
			{name: "correlation_id", sample: "", doc: "of this correlation only"},
			{name: "from", sample: "", oneOf: []string{"BEGINNING", "NOW"}, doc: "where to begin; NOW if not given"},
			{name: "last_event_id", sample: "", doc: "go on after this id, as the header Last-Event-ID does"},
		}, action{status: http.StatusOK, answer: serverSent{}, handle: s.stream}},
		{http.MethodGet, "/events/recorded", Viewer, "Recorded events of one type", []parameter{
			recordedType, {name: "after", sample: "", doc: "next_after of the page before"},
		}, answering[recordedBody](s.recorded)},
	}
}

// serverSent stands for a stream of server-sent events.
type serverSent struct{}

// acceptedBody answers a publication.
type acceptedBody struct {
	Events []acceptance `json:"events"`
	DryRun bool         `json:"dry_run,omitzero"`
}

type acceptance struct {
	EventID string `json:"event_id"`
	Status  string `json:"status"` // accepted, duplicate
}

type recordedBody struct {
	Items     []jsontext.Value `json:"items"`
	NextAfter string           `json:"next_after"`
}

// incoming is one event of a request, with its place in it.
type incoming struct {
	raw       jsontext.Value
	event     *events.Decoded
	owner     string // the service that owns its topic
	duplicate bool
}

// publish takes events of other systems into the outboxes of the services that own their topics: all of them or, when one
// is bad, none. A repetition is harmless: what is there already is answered as a duplicate.
func (s *Server) publish(c *gin.Context) {
	dryRun, err := flag(c, "dry_run")
	if err != nil {
		s.refuse(c, err)
		return
	}
	raw, err := readBody(c, s.MaxBody)
	if err != nil {
		s.refuse(c, err)
		return
	}
	messages, err := splitEvents(raw, c.ContentType() == ndjsonType)
	if err != nil {
		s.refuse(c, err)
		return
	}
	batch, entries := s.checkAll(messages)
	if len(entries) > 0 {
		problem(c, http.StatusUnprocessableEntity, string(entries[0].Code), "nothing was accepted: "+strings.TrimPrefix(entries[0].Path+": ", ": ")+entries[0].Detail, entries...)
		return
	}
	if entries = s.foreignEvents(c, batch); len(entries) > 0 {
		problem(c, http.StatusForbidden, string(events.WrongPublisher), "nothing was accepted: "+entries[0].Detail, entries...)
		return
	}
	if away, some := s.notHere(batch); some && forwarded(c) {
		s.elsewhere(c, away)
		return
	}
	dry := dryRun != nil && *dryRun
	if index, err := s.acceptAll(c.Request.Context(), askerFor(c), batch, dry); err != nil {
		if errors.Is(err, store.ErrConflict) {
			problem(c, http.StatusConflict, router.CodeIDConflict, err.Error(), problemEntry{Index: &index, Path: "/event_id", Code: router.CodeIDConflict, Detail: "this event_id is taken by an event with other content"})
			return
		}
		s.refuse(c, err)
		return
	}
	answer := acceptedBody{Events: make([]acceptance, len(batch)), DryRun: dry}
	for i, one := range batch {
		answer.Events[i] = acceptance{one.event.Envelope.EventID.String(), "accepted"}
		if one.duplicate {
			answer.Events[i].Status = "duplicate"
		}
	}
	writeJSON(c, http.StatusAccepted, answer)
}

// splitEvents takes a request apart: one event, a list, or lines.
func splitEvents(raw []byte, lines bool) ([]jsontext.Value, error) {
	trimmed := bytes.TrimSpace(raw)
	if lines {
		var all []jsontext.Value
		for line := range bytes.Lines(trimmed) {
			if line = bytes.TrimSpace(line); len(line) > 0 {
				all = append(all, jsontext.Value(line))
			}
		}
		return all, nil
	}
	if len(trimmed) == 0 || trimmed[0] != '[' {
		return []jsontext.Value{raw}, nil
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(trimmed))
	var all []jsontext.Value
	if _, err := dec.ReadToken(); err != nil {
		return nil, malformed(err)
	}
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, malformed(err)
		}
		all = append(all, value.Clone())
	}
	return all, nil
}

func malformed(err error) error {
	return &events.Invalid{Problems: []events.Problem{{Code: events.MalformedJSON, Detail: "the list is not valid JSON: " + err.Error()}}}
}

func (s *Server) checkAll(messages []jsontext.Value) (batch []incoming, entries []problemEntry) {
	if len(messages) == 0 {
		return nil, []problemEntry{{Code: events.MalformedJSON, Detail: "the request holds no event"}}
	}
	for i, raw := range messages {
		index := i
		event, err := s.Catalogue.CheckPublish(raw)
		var invalid *events.Invalid
		if errors.As(err, &invalid) {
			entries = append(entries, entriesOf(invalid, &index)...)
			continue
		}
		owner, known := s.publisherOf(event.Envelope.SourceService)
		if !known {
			entries = append(entries, problemEntry{Index: &index, Path: "/source_service", Code: events.WrongPublisher, Detail: "no service here publishes for " + event.Envelope.SourceService})
			continue
		}
		batch = append(batch, incoming{raw: raw, event: event, owner: owner})
	}
	return batch, entries
}

// errDryRun rolls a trial back.
var errDryRun = errors.New("api: dry run")

// acceptAll enters the batch, one transaction per owner. Conflicts are looked for in all of them first, so that in practice
// nothing is entered when one event is refused; its error comes with the index of the event. Peers come first: they may be
// lost on the way, and then nothing is entered here.
func (s *Server) acceptAll(ctx context.Context, a asker, batch []incoming, dry bool) (int, error) {
	for _, trial := range []bool{true, false} {
		if !trial && dry {
			return 0, nil
		}
		if trial && !dry && oneOwner(batch) {
			continue
		}
		for _, p := range s.Peers {
			if s.services[p.Service] != nil {
				continue
			}
			if err := a.acceptAt(ctx, s.peers[p.Service], batch, trial); err != nil {
				return 0, err
			}
		}
		for _, name := range s.names() {
			if index, err := acceptOf(ctx, s.services[name], batch, trial); err != nil {
				return index, err
			}
		}
	}
	return 0, nil
}

// notHere finds an owner that does not run in this process.
func (s *Server) notHere(batch []incoming) (service string, found bool) {
	for _, one := range batch {
		if s.services[one.owner] == nil {
			return one.owner, true
		}
	}
	return "", false
}

func oneOwner(batch []incoming) bool {
	return !slices.ContainsFunc(batch, func(one incoming) bool { return one.owner != batch[0].owner })
}

// acceptAt has a peer accept those of the batch that it owns, under the indexes that they have here.
func (a asker) acceptAt(ctx context.Context, p *peer, batch []incoming, trial bool) error {
	var indexes []int
	var body []byte
	for i, one := range batch {
		if one.owner == p.Service {
			body = append(append(body, ','), one.raw...)
			indexes = append(indexes, i)
		}
	}
	if len(indexes) == 0 {
		return nil
	}
	var answer struct {
		Events []struct {
			Status string `json:"status"`
		} `json:"events"`
	}
	body[0] = '['
	path := "/events"
	if trial {
		path += "?dry_run=true"
	}
	err := a.post(ctx, p, path, append(body, ']'), &answer)
	var refused *answered
	if errors.As(err, &refused) {
		for i, entry := range refused.problem.Errors {
			if entry.Index != nil && *entry.Index < len(indexes) {
				refused.problem.Errors[i].Index = &indexes[*entry.Index]
			}
		}
	}
	if err != nil {
		return err
	}
	for i, index := range indexes {
		batch[index].duplicate = i < len(answer.Events) && answer.Events[i].Status == "duplicate"
	}
	return nil
}

func acceptOf(ctx context.Context, owner *router.Service, batch []incoming, trial bool) (index int, err error) {
	if !slices.ContainsFunc(batch, func(one incoming) bool { return one.owner == owner.Name() }) {
		return 0, nil
	}
	err = owner.Store().Do(ctx, func(ctx context.Context, tx *store.Tx) error {
		for i := range batch {
			if batch[i].owner != owner.Name() {
				continue
			}
			duplicate, err := tx.Accept(ctx, batch[i].event)
			if err != nil {
				index = i
				return err
			}
			batch[i].duplicate = duplicate
		}
		if trial {
			return errDryRun
		}
		return nil
	})
	if errors.Is(err, errDryRun) {
		err = nil
	}
	return index, err
}

func cmpOr(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}
