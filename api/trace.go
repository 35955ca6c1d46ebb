package api

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Trace is the tree of events around one event, correlation or business id.
type Trace struct {
	ID            string        `json:"id"`
	CorrelationID string        `json:"correlation_id,omitzero"`
	Events        []*TraceEvent `json:"events"`
	Awaited       []Awaited     `json:"awaited"`
	Unreachable   []string      `json:"unreachable,omitzero"` // services that could not be asked
}

// TraceEvent is one event with who handled it; children were caused by it.
type TraceEvent struct {
	EventID       string        `json:"event_id"`
	EventType     string        `json:"event_type"`
	SourceService string        `json:"source_service"`
	Timestamp     time.Time     `json:"timestamp"`
	Key           string        `json:"key"`
	CorrelationID string        `json:"correlation_id"`
	CausationID   string        `json:"causation_id,omitzero"`
	Sequence      int64         `json:"sequence,omitzero"`
	Deliveries    []Delivery    `json:"deliveries"`
	Children      []*TraceEvent `json:"children"`

	id uuid.UUID
}

// Delivery is how an event stands for one consumer.
type Delivery struct {
	Service  string    `json:"service"`
	State    string    `json:"state"`
	At       time.Time `json:"at"`
	Reason   string    `json:"reason,omitzero"`
	Attempts int       `json:"attempts"`
}

// Awaited is an outcome that is still to come.
type Awaited struct {
	Service   string `json:"service"`
	EventID   string `json:"event_id"`
	EventType string `json:"event_type"`
	Reason    string `json:"reason"`
}

func (s *Server) trace(c *gin.Context) {
	t := tracing{s: s, ctx: c.Request.Context(), asker: askerFor(c), peers: s.remote(c), found: map[uuid.UUID]*TraceEvent{}, lost: map[string]error{}}
	trace := Trace{ID: c.Param("id")}
	err := t.collect(trace.ID)
	if err == nil && len(t.found) == 0 {
		err = t.nothing(trace.ID)
	}
	if err == nil {
		trace.Awaited, err = t.addDeliveries()
	}
	if err != nil {
		s.refuse(c, err)
		return
	}
	trace.CorrelationID, trace.Events = sharedCorrelation(t.found), tree(t.found)
	for _, name := range slices.Sorted(maps.Keys(t.lost)) {
		trace.Unreachable = append(trace.Unreachable, t.lost[name].Error())
	}
	writeJSON(c, http.StatusOK, trace)
}

// tracing is the making of one trace, from the services here and at the peers.
type tracing struct {
	s     *Server
	ctx   context.Context
	asker asker
	peers []*peer
	found map[uuid.UUID]*TraceEvent
	lost  map[string]error // by service: the peers that gave no answer
}

// collect finds the events: those of the event's own correlation, of the correlation named, or of the business id; the
// latter together with everything else of its correlation, if that is one.
func (t *tracing) collect(id string) error {
	if eventID, err := uuid.Parse(id); err == nil {
		if err := t.gather(traceQuestion{event: eventID}); err != nil {
			return err
		}
	}
	if len(t.found) == 0 {
		if err := t.gather(traceQuestion{correlation: id}); err != nil {
			return err
		}
	}
	if len(t.found) == 0 {
		if err := t.gather(traceQuestion{key: id}); err != nil {
			return err
		}
	}
	if correlation := sharedCorrelation(t.found); correlation != "" && correlation != id {
		return t.gather(traceQuestion{correlation: correlation})
	}
	return nil
}

// nothing says that there is no such event, if everybody was asked.
func (t *tracing) nothing(id string) error {
	for _, err := range t.lost {
		return err
	}
	return store.Refuse(store.NotFound, "", "no event, correlation or business id %s", id)
}

// gather finds events at the services here and at the peers.
func (t *tracing) gather(q traceQuestion) error {
	for _, name := range t.s.names() {
		answer, err := t.s.answerTrace(t.ctx, name, q)
		if err != nil {
			return err
		}
		t.add(answer)
	}
	for _, answer := range t.ask(q) {
		t.add(answer)
	}
	return nil
}

func (t *tracing) add(a traceAnswer) {
	for _, e := range a.Published {
		t.found[e.id] = e
	}
	for _, e := range a.Foreign {
		if t.found[e.id] == nil {
			t.found[e.id] = e
		}
	}
}

// addDeliveries fills in how each event stands for every service that hears it, and what is still to come.
func (t *tracing) addDeliveries() ([]Awaited, error) {
	awaited := []Awaited{}
	add := func(a traceAnswer) {
		for id, d := range a.Deliveries {
			if e := t.found[id]; e != nil {
				e.Deliveries = append(e.Deliveries, d)
			}
		}
		awaited = append(awaited, a.Awaited...)
	}
	for chunk := range slices.Chunk(slices.Collect(maps.Values(t.found)), traceChunk) {
		q := traceQuestion{of: make([]eventRef, len(chunk))}
		for i, e := range chunk {
			q.of[i] = eventRef{e.id, e.EventType}
		}
		for _, name := range t.s.names() {
			answer, err := t.s.answerTrace(t.ctx, name, q)
			if err != nil {
				return nil, err
			}
			add(answer)
		}
		for _, answer := range t.ask(q) {
			add(answer)
		}
	}
	for _, e := range t.found {
		slices.SortFunc(e.Deliveries, func(a, b Delivery) int { return strings.Compare(a.Service, b.Service) })
	}
	slices.SortFunc(awaited, func(a, b Awaited) int { return strings.Compare(a.EventID+a.Service, b.EventID+b.Service) })
	return awaited, nil
}

// traceChunk is how many events one question names: they travel in its URL.
const traceChunk = 200

// traceQuestion asks a service for events, by id, correlation or key, or how events of others stand for it.
type traceQuestion struct {
	event            uuid.UUID
	correlation, key string
	of               []eventRef
}

type eventRef struct {
	id        uuid.UUID
	eventType string
}

// traceAnswer is what one service knows.
type traceAnswer struct {
	Published  []*TraceEvent          `json:"published"`
	Foreign    []*TraceEvent          `json:"foreign"`
	Deliveries map[uuid.UUID]Delivery `json:"deliveries"`
	Awaited    []Awaited              `json:"awaited"`
}

// answerTrace asks a service that runs here.
func (s *Server) answerTrace(ctx context.Context, name string, q traceQuestion) (a traceAnswer, err error) {
	err = s.services[name].Store().View(ctx, func(ctx context.Context, r store.Reader) error {
		switch {
		case len(q.of) > 0:
			return s.standings(ctx, r, name, q.of, &a)
		case q.event != uuid.Nil:
			return s.oneEvent(ctx, r, q.event, &a)
		}
		rows, err := store.Published(ctx, r, q.correlation, q.key)
		if err != nil {
			return err
		}
		for _, row := range rows {
			a.Published = append(a.Published, s.traceRow(row))
		}
		foreign, err := store.ForeignDeliveries(ctx, r, q.correlation, q.key)
		for _, d := range foreign {
			a.addForeign(d)
		}
		return err
	})
	return a, err
}

func (s *Server) oneEvent(ctx context.Context, r store.Reader, id uuid.UUID, a *traceAnswer) error {
	row, published, err := store.PublishedEvent(ctx, r, id)
	if err != nil {
		return err
	}
	if published {
		a.Published = []*TraceEvent{s.traceRow(row)}
		return nil
	}
	deliveries, err := store.Deliveries(ctx, r, []uuid.UUID{id})
	a.addForeign(deliveries[id])
	return err
}

// standings is how events stand for a service, and what it still has to hear of them.
func (s *Server) standings(ctx context.Context, r store.Reader, name string, refs []eventRef, a *traceAnswer) error {
	hears := s.services[name].Topics()
	hearing := func(d *events.Definition) bool { return slices.Contains(hears, d.Contract.Topic()) }
	var heard []eventRef
	var ids []uuid.UUID
	for _, ref := range refs {
		if slices.ContainsFunc(s.Catalogue.Majors(ref.eventType), hearing) {
			heard, ids = append(heard, ref), append(ids, ref.id)
		}
	}
	stand, err := store.Deliveries(ctx, r, ids)
	if err != nil {
		return err
	}
	a.Deliveries = map[uuid.UUID]Delivery{}
	for _, ref := range heard {
		d, reached := stand[ref.id]
		if reached {
			a.Deliveries[ref.id] = Delivery{Service: name, State: d.State.String(), At: d.At, Reason: d.Reason, Attempts: d.Attempts}
		}
		if newest, _ := s.Catalogue.Lookup(ref.eventType); !reached && !hearing(newest) {
			continue // it may be of a major version that this consumer does not hear
		}
		if !reached || !d.State.Ended() {
			a.Awaited = append(a.Awaited, Awaited{Service: name, EventID: ref.id.String(), EventType: ref.eventType, Reason: cmp.Or(d.Reason, "on its way")})
		}
	}
	return nil
}

func (s *Server) traceRow(row store.Row) *TraceEvent {
	e := &TraceEvent{
		id: row.EventID, EventID: row.EventID.String(), EventType: row.EventType, Timestamp: row.OccurredAt, Key: row.Key, CorrelationID: row.CorrelationID,
		CausationID: row.CausationID, Sequence: row.Sequence, Deliveries: []Delivery{}, Children: []*TraceEvent{},
	}
	if d, known := s.Catalogue.Lookup(row.EventType); known {
		e.SourceService = d.Contract.Publisher
	}
	return e
}

func (a *traceAnswer) addForeign(d store.Delivery) {
	if d.Foreign == nil {
		return
	}
	f := d.Foreign
	a.Foreign = append(a.Foreign, &TraceEvent{
		id: d.EventID, EventID: d.EventID.String(), EventType: f.EventType, SourceService: f.Source, Timestamp: f.OccurredAt, Key: f.Key, CorrelationID: f.CorrelationID,
		CausationID: f.CausationID, Deliveries: []Delivery{}, Children: []*TraceEvent{},
	})
}

func sharedCorrelation(found map[uuid.UUID]*TraceEvent) string {
	shared := ""
	for _, e := range found {
		if shared != "" && shared != e.CorrelationID {
			return ""
		}
		shared = e.CorrelationID
	}
	return shared
}

// tree hangs every event under the one that caused it.
func tree(found map[uuid.UUID]*TraceEvent) []*TraceEvent {
	roots := []*TraceEvent{}
	for _, e := range found {
		parent, err := uuid.Parse(e.CausationID)
		if above := found[parent]; err == nil && above != nil && above != e {
			above.Children = append(above.Children, e)
		} else {
			roots = append(roots, e)
		}
	}
	for _, e := range found {
		sortEvents(e.Children)
	}
	sortEvents(roots)
	return roots
}

func sortEvents(list []*TraceEvent) {
	slices.SortFunc(list, func(a, b *TraceEvent) int {
		if d := a.Timestamp.Compare(b.Timestamp); d != 0 {
			return d
		}
		return strings.Compare(a.EventID, b.EventID)
	})
}
