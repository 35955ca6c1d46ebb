package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

func (s *Server) deadLetterEndpoints() []endpoint {
	chosen := []parameter{
		{name: "service", sample: "", doc: "of this service only"},
		{name: "type", sample: "", doc: "an event type, or a job's kind"},
		{name: "code", sample: "", oneOf: router.LetterCodes(), doc: "why it failed, as in handler_failed"},
		{name: "fingerprint", sample: "", doc: "of this cause, as /dead-letters/groups shows it"},
		{name: "key", sample: "", doc: "the ordering key: an order or a product"},
		{name: "since", sample: time.Time{}, doc: "that failed last at this time or later"},
	}
	return []endpoint{
		{http.MethodGet, "/dead-letters", Viewer, "Dead letters, those that failed last first", paged(chosen...), answering[gathered[DeadLetter]](s.deadLetters)},
		{http.MethodGet, "/dead-letters/groups", Viewer, "Dead letters by cause, the largest group first", chosen, answering[gathered[DeadLetterGroup]](s.deadLetterGroups)},
		{http.MethodGet, "/dead-letters/:id", Viewer, "One dead letter with its payload; personal data is masked, unless an admin asks for it with a reason", []parameter{
			{name: "unmask", sample: false, doc: "show personal data; needs the role admin, and is audited"},
			{name: "reason", sample: "", doc: "why personal data is needed"},
		}, answering[DeadLetterDetail](s.deadLetter)},
		{http.MethodPost, "/dead-letters/requeue", Operator, "Send dead letters back to the consumer that failed; dry_run runs its handler and rolls back", nil, s.mending("requeue", (*router.Service).Requeue, (*router.Service).TryOut)},
		{http.MethodPost, "/dead-letters/discard", Admin, "Give dead letters up", nil, s.mending("discard", (*router.Service).Discard, (*router.Service).Preview)},
		{http.MethodPost, "/dead-letters/release", Operator, "Let what waits behind dead letters pass; the letters stay", nil, s.mending("release", (*router.Service).Release, (*router.Service).Preview)},
		{http.MethodGet, "/waiting", Viewer, "Events that wait, or are tried again by themselves, the longest first", paged(
			parameter{name: "service", sample: "", doc: "of this service only"},
			parameter{name: "type", sample: "", doc: "an event type"},
			parameter{name: "code", sample: "", oneOf: router.WaitingCodes(), doc: "why it waits, as in key_held or follows"},
			parameter{name: "key", sample: "", doc: "the ordering key"},
			parameter{name: "state", sample: "", oneOf: []string{store.Waiting.String(), store.Retrying.String()}, doc: "in this state only"},
		), answering[gathered[WaitingEvent]](s.waiting)},
	}
}

// DeadLetter is an event that failed for good in one service, or a job whose retries are spent.
type DeadLetter struct {
	ID          string    `json:"id"` // unique over all services, as in inventory-42
	Service     string    `json:"service"`
	EventID     string    `json:"event_id,omitzero"`
	EventType   string    `json:"event_type,omitzero"`
	Job         string    `json:"job,omitzero"` // its kind
	Key         string    `json:"key"`
	Code        string    `json:"code"`
	Detail      string    `json:"detail"`
	Fingerprint string    `json:"fingerprint"`
	HoldsKey    bool      `json:"holds_key"`
	HeldBehind  int64     `json:"held_behind"` // events that wait behind it
	Attempts    int       `json:"attempts"`
	FailedFirst time.Time `json:"failed_first"`
	FailedLast  time.Time `json:"failed_last"`
}

func letterID(service string, id store.LetterID) string { return service + "-" + id.String() }

// parseLetterID reads inventory-42.
func parseLetterID(text string) (service string, id store.LetterID, err error) {
	if i := strings.LastIndexByte(text, '-'); i > 0 {
		service = text[:i]
		id, err = store.ParseLetterID(text[i+1:])
		if err == nil {
			return service, id, nil
		}
	}
	return "", id, store.Refuse(store.InvalidValue, "", "%q is no dead letter's id; write one as in inventory-42", text)
}

func deadLetterOf(service string, l store.DeadLetter) DeadLetter {
	d := DeadLetter{
		ID: letterID(service, l.ID), Service: service, EventType: l.Type, Key: l.Key, Code: l.Code, Detail: l.Detail, Fingerprint: l.Fingerprint,
		HoldsKey: l.Held, HeldBehind: l.HeldBehind, Attempts: l.Attempts, FailedFirst: l.FailedFirst, FailedLast: l.FailedLast,
	}
	if l.ID.Job {
		d.EventType, d.Job = "", l.Type
	}
	if l.EventID != uuid.Nil {
		d.EventID = l.EventID.String()
	}
	return d
}

// letterFilterOf reads the filter of a query.
func letterFilterOf(c *gin.Context) (f store.LetterFilter, err error) {
	f = store.LetterFilter{Type: c.Query("type"), Code: c.Query("code"), Fingerprint: c.Query("fingerprint"), Key: c.Query("key")}
	if text := c.Query("since"); text != "" {
		if f.Since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			err = store.Refuse(store.InvalidValue, "", "since must be a time such as 2026-01-15T12:00:00Z")
		}
	}
	return f, err
}

func (s *Server) deadLetters(c *gin.Context) {
	filter, err := letterFilterOf(c)
	if err != nil {
		s.refuse(c, err)
		return
	}
	where := func(d DeadLetter) place {
		_, id, _ := parseLetterID(d.ID) // a server of ours wrote it
		return place{d.FailedLast, d.Service, id}
	}
	gather(s, c, "/dead-letters", true, where, func(service *router.Service, after *store.Position, limit int) (found []DeadLetter, err error) {
		err = service.Store().View(c.Request.Context(), func(ctx context.Context, r store.Reader) error {
			letters, err := store.LatestLetters(ctx, r, filter, after, limit)
			for _, l := range letters {
				found = append(found, deadLetterOf(service.Name(), l))
			}
			return err
		})
		return found, err
	})
}

// DeadLetterGroup is the dead letters of one cause.
type DeadLetterGroup struct {
	Service     string    `json:"service"`
	Fingerprint string    `json:"fingerprint"`
	Type        string    `json:"type"` // of the events, or the jobs' kind
	Code        string    `json:"code"`
	Detail      string    `json:"detail"` // the latest one's
	Count       int64     `json:"count"`
	Keys        int64     `json:"keys"`
	HeldBehind  int64     `json:"held_behind"` // events that wait behind them
	FailedFirst time.Time `json:"failed_first"`
	FailedLast  time.Time `json:"failed_last"`
}

// groupLimit bounds how many causes of one service are told apart.
const groupLimit = 200

func (s *Server) deadLetterGroups(c *gin.Context) {
	filter, err := letterFilterOf(c)
	here, away, bad := s.asks(c, c.Query("service"))
	if err == nil {
		err = bad
	}
	answer := gathered[DeadLetterGroup]{Items: []DeadLetterGroup{}}
	for i := 0; i < len(here) && err == nil; i++ {
		err = here[i].Store().View(c.Request.Context(), func(ctx context.Context, r store.Reader) error {
			groups, err := store.LetterGroups(ctx, r, filter, groupLimit)
			for _, g := range groups {
				answer.Items = append(answer.Items, DeadLetterGroup{
					Service: here[i].Name(), Fingerprint: g.Fingerprint, Type: g.Type, Code: g.Code, Detail: g.Detail, Count: g.Count, Keys: g.Keys,
					HeldBehind: g.HeldBehind, FailedFirst: g.FailedFirst, FailedLast: g.FailedLast,
				})
			}
			return err
		})
	}
	var parts []gathered[DeadLetterGroup]
	if err == nil {
		parts, answer.Unreachable, err = askAll[gathered[DeadLetterGroup]](s, c, away, "/dead-letters/groups")
	}
	if err != nil {
		s.refuse(c, err)
		return
	}
	for _, part := range parts {
		answer.Items = append(answer.Items, part.Items...)
	}
	sortGroups(answer.Items)
	writeJSON(c, http.StatusOK, answer)
}

// DeadLetterDetail is one dead letter with everything that is known of it.
type DeadLetterDetail struct {
	DeadLetter
	Topic         string           `json:"topic,omitzero"`
	Partition     string           `json:"partition,omitzero"`
	Offset        string           `json:"offset,omitzero"`
	CorrelationID string           `json:"correlation_id,omitzero"`
	CausationID   string           `json:"causation_id,omitzero"`
	OccurredAt    time.Time        `json:"occurred_at,omitzero"`
	Headers       []Header         `json:"headers,omitzero"` // as the transport brought them
	Bytes         int              `json:"bytes"`            // of the payload as it came
	Payload       jsontext.Value   `json:"payload,omitzero"` // unless it is no JSON
	Text          string           `json:"text,omitzero"`    // of a payload that is no JSON, what is no UTF-8 replaced; with unmask only
	Masked        []string         `json:"masked,omitzero"`  // JSON Pointers of what is masked
	Withheld      bool             `json:"withheld,omitzero"`
	Problems      []events.Problem `json:"problems,omitzero"` // how it breaks its contract
	Trail         []Deed           `json:"trail,omitzero"`    // what operators did with it
}

// Header is a name with its value.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Deed is what a person did.
type Deed struct {
	At     time.Time `json:"at"`
	Actor  string    `json:"actor"`
	Action string    `json:"action"`
	Reason string    `json:"reason"`
}

func (s *Server) deadLetter(c *gin.Context) {
	name, id, err := parseLetterID(c.Param("id"))
	if err != nil {
		s.refuse(c, err)
		return
	}
	var unmask *router.Unmask
	if c.Query("unmask") == "true" {
		if s.allowed(Admin)(c); c.IsAborted() {
			return
		}
		if unmask = (&router.Unmask{Actor: s.callerOf(c).Name, Reason: c.Query("reason")}); unmask.Reason == "" {
			problem(c, http.StatusUnprocessableEntity, store.InvalidValue, "reason is required to see personal data: it is kept in the audit")
			return
		}
	}
	service, ok := s.of(c, name)
	if !ok {
		return
	}
	found, err := service.Inspect(c.Request.Context(), id, unmask)
	if err != nil {
		s.refuse(c, err)
		return
	}
	writeJSON(c, http.StatusOK, detailOf(name, found))
}

func detailOf(service string, i router.Inspection) DeadLetterDetail {
	d := DeadLetterDetail{
		DeadLetter: deadLetterOf(service, i.DeadLetter), Topic: i.Topic, Partition: i.Partition, Offset: i.Offset, CorrelationID: i.CorrelationID, CausationID: i.CausationID,
		OccurredAt: i.OccurredAt, Bytes: i.Bytes, Masked: i.Masked, Withheld: i.Withheld, Problems: i.Problems,
	}
	for name, value := range i.Metadata {
		d.Headers = append(d.Headers, Header{name, value})
	}
	sortHeaders(d.Headers)
	for _, a := range i.Trail {
		d.Trail = append(d.Trail, Deed{a.At, a.Actor, a.Action, a.Detail})
	}
	if payload := jsontext.Value(i.Payload); payload.IsValid() {
		d.Payload = payload
	} else {
		d.Text = strings.ToValidUTF8(string(i.Payload), "\uFFFD")
	}
	return d
}

// WaitingEvent is an event that waits, or is tried again by itself.
type WaitingEvent struct {
	ID        string     `json:"id"`
	Service   string     `json:"service"`
	EventID   string     `json:"event_id"`
	EventType string     `json:"event_type"`
	Key       string     `json:"key"`
	State     string     `json:"state"`
	Code      string     `json:"code"`              // why: key_held, behind, follows, paused, circuit, or the failure that is retried
	Detail    string     `json:"detail,omitzero"`   // of that failure
	Awaits    string     `json:"awaits,omitzero"`   // the type of its predecessor
	HeldBy    string     `json:"held_by,omitzero"`  // the dead letter that holds its key
	Attempts  int        `json:"attempts,omitzero"` // that failed
	Due       *time.Time `json:"due,omitzero"`      // next attempt, or the limit of the wait
	Since     time.Time  `json:"since"`
}

func (s *Server) waiting(c *gin.Context) {
	filter := store.WaitingFilter{Type: c.Query("type"), Code: c.Query("code"), Key: c.Query("key")}
	switch c.Query("state") {
	case "":
	case store.Waiting.String():
		filter.State = store.Waiting
	case store.Retrying.String():
		filter.State = store.Retrying
	default:
		problem(c, http.StatusUnprocessableEntity, store.InvalidValue, "state must be waiting or retrying")
		return
	}
	where := func(e WaitingEvent) place {
		_, id, _ := parseLetterID(e.ID) // a server of ours wrote it
		return place{e.Since, e.Service, id}
	}
	gather(s, c, "/waiting", false, where, func(service *router.Service, after *store.Position, limit int) (found []WaitingEvent, err error) {
		err = service.Store().View(c.Request.Context(), func(ctx context.Context, r store.Reader) error {
			waiting, err := store.WaitingEvents(ctx, r, filter, after, limit)
			for _, e := range waiting {
				found = append(found, waitingOf(service.Name(), e))
			}
			return err
		})
		return found, err
	})
}

func waitingOf(service string, e store.WaitingEvent) WaitingEvent {
	w := WaitingEvent{
		ID: letterID(service, store.LetterID{N: e.ID}), Service: service, EventID: e.EventID.String(), EventType: e.EventType, Key: e.Key, State: e.State.String(),
		Code: e.Code, Awaits: e.Awaits, Attempts: e.Attempts, Due: e.Due, Since: e.ParkedAt,
	}
	if e.State == store.Retrying {
		w.Detail = e.Detail
	}
	if e.HeldDead {
		w.HeldBy = letterID(service, store.LetterID{N: e.HeldBy})
	}
	return w
}
