package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/store"
)

// Trace is the tree of events around one event, correlation or business id.
type Trace struct {
	ID            string        `json:"id"`
	CorrelationID string        `json:"correlation_id,omitzero"`
	Events        []*TraceEvent `json:"events"`
	Awaited       []Awaited     `json:"awaited"`
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
	id := c.Param("id")
	found, err := s.collect(c.Request.Context(), id)
	if err == nil && len(found) == 0 {
		err = store.Refuse(store.NotFound, "", "no event, correlation or business id %s", id)
	}
	var trace Trace
	if err == nil {
		trace = Trace{ID: id, CorrelationID: sharedCorrelation(found), Awaited: []Awaited{}}
		trace.Awaited, err = s.addDeliveries(c.Request.Context(), found)
	}
	if err != nil {
		s.refuse(c, err)
		return
	}
	trace.Events = tree(found)
	writeJSON(c, http.StatusOK, trace)
}

// collect finds the events: those of the event's own correlation, of the correlation named, or of the business id; the
// latter together with everything else of its correlation, if that is one.
func (s *Server) collect(ctx context.Context, id string) (map[uuid.UUID]*TraceEvent, error) {
	found := map[uuid.UUID]*TraceEvent{}
	if eventID, err := uuid.Parse(id); err == nil {
		if err := s.gatherEvent(ctx, found, eventID); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		if err := s.gather(ctx, found, id, ""); err != nil {
			return nil, err
		}
	}
	if len(found) == 0 {
		if err := s.gather(ctx, found, "", id); err != nil {
			return nil, err
		}
	}
	if correlation := sharedCorrelation(found); correlation != "" && correlation != id {
		return found, s.gather(ctx, found, correlation, "")
	}
	return found, nil
}

func (s *Server) gatherEvent(ctx context.Context, found map[uuid.UUID]*TraceEvent, id uuid.UUID) error {
	for _, name := range s.names() {
		err := s.services[name].Store().View(ctx, func(ctx context.Context, r store.Reader) error {
			row, ok, err := store.PublishedEvent(ctx, r, id)
			if ok && err == nil {
				found[id] = s.traceRow(row)
			}
			if !ok && err == nil {
				deliveries, e := store.Deliveries(ctx, r, []uuid.UUID{id})
				addForeign(found, deliveries[id])
				err = e
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) gather(ctx context.Context, found map[uuid.UUID]*TraceEvent, correlation, key string) error {
	for _, name := range s.names() {
		err := s.services[name].Store().View(ctx, func(ctx context.Context, r store.Reader) error {
			rows, err := store.Published(ctx, r, correlation, key)
			if err != nil {
				return err
			}
			for _, row := range rows {
				found[row.EventID] = s.traceRow(row)
			}
			foreign, err := store.ForeignDeliveries(ctx, r, correlation, key)
			for _, d := range foreign {
				addForeign(found, d)
			}
			return err
		})
		if err != nil {
			return err
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

func addForeign(found map[uuid.UUID]*TraceEvent, d store.Delivery) {
	if d.Foreign == nil || found[d.EventID] != nil {
		return
	}
	f := d.Foreign
	found[d.EventID] = &TraceEvent{
		id: d.EventID, EventID: d.EventID.String(), EventType: f.EventType, SourceService: f.Source, Timestamp: f.OccurredAt, Key: f.Key, CorrelationID: f.CorrelationID,
		CausationID: f.CausationID, Deliveries: []Delivery{}, Children: []*TraceEvent{},
	}
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

// addDeliveries fills in how each event stands for every service here that hears it, and what is still to come.
func (s *Server) addDeliveries(ctx context.Context, found map[uuid.UUID]*TraceEvent) ([]Awaited, error) {
	awaited := []Awaited{}
	for _, name := range s.names() {
		hears := s.services[name].Topics()
		var ids []uuid.UUID
		for id, e := range found {
			if slices.Contains(hears, s.topicOf(e)) {
				ids = append(ids, id)
			}
		}
		var stand map[uuid.UUID]store.Delivery
		err := s.services[name].Store().View(ctx, func(ctx context.Context, r store.Reader) (err error) {
			stand, err = store.Deliveries(ctx, r, ids)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			e := found[id]
			d, reached := stand[id]
			if reached {
				e.Deliveries = append(e.Deliveries, Delivery{Service: name, State: d.State.String(), At: d.At, Reason: d.Reason, Attempts: d.Attempts})
			}
			if !reached || !d.State.Ended() {
				awaited = append(awaited, Awaited{Service: name, EventID: e.EventID, EventType: e.EventType, Reason: cmp.Or(d.Reason, "on its way")})
			}
		}
	}
	slices.SortFunc(awaited, func(a, b Awaited) int { return strings.Compare(a.EventID+a.Service, b.EventID+b.Service) })
	return awaited, nil
}

func (s *Server) topicOf(e *TraceEvent) string {
	d, known := s.Catalogue.Lookup(e.EventType)
	if !known {
		return ""
	}
	return d.Contract.Topic()
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
