package api

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// mendBody says which dead letters an action is about, and why it is done.
type mendBody struct {
	IDs    []string      `json:"ids,omitzero"`
	Filter *letterFilter `json:"filter,omitzero"` // {} means all
	DryRun bool          `json:"dry_run,omitzero"`
	Limit  int64         `json:"limit,omitzero" rule:"not_negative"`
	Reason string        `json:"reason,omitzero"`
	After  string        `json:"after,omitzero"` // next of the answer before
}

// letterFilter chooses dead letters by all of what it names.
type letterFilter struct {
	Service     string     `json:"service,omitzero"`
	Type        string     `json:"type,omitzero"`
	Code        string     `json:"code,omitzero"`
	Fingerprint string     `json:"fingerprint,omitzero"`
	Key         string     `json:"key,omitzero"`
	Since       *time.Time `json:"since,omitzero"`
}

// Mended is what became of dead letters.
type Mended struct {
	DryRun      bool            `json:"dry_run"`
	Tried       int64           `json:"tried"` // that were taken in hand
	Outcomes    Outcomes        `json:"outcomes"`
	Waits       []Wait          `json:"waits,omitzero"`   // why those wait that were not handled; they go on by themselves
	Failures    []LetterFailure `json:"failures"`         // of those that failed, by cause
	Stopped     *LetterFailure  `json:"stopped,omitzero"` // why it ended before its time
	Next        string          `json:"next,omitzero"`    // some may be left: repeat the request with this as after
	Unreachable []string        `json:"unreachable,omitzero"`
}

// Outcomes count how dead letters ended.
type Outcomes struct {
	Applied   int64 `json:"applied"`
	Ignored   int64 `json:"ignored"`
	Duplicate int64 `json:"duplicate"` // the event had been handled already
	Waiting   int64 `json:"waiting"`   // for something else
	Retrying  int64 `json:"retrying"`  // failed, and will be tried again by itself
	Dead      int64 `json:"dead"`      // failed again
	Discarded int64 `json:"discarded"`
	Released  int64 `json:"released"`
	Gone      int64 `json:"gone"`    // was no dead letter any more
	Skipped   int64 `json:"skipped"` // nothing was to be done, or it cannot be tried out
}

// Wait is why events wait, as WaitingEvent's code.
type Wait struct {
	Code  string `json:"code"`
	Count int64  `json:"count"`
}

// LetterFailure is why dead letters failed.
type LetterFailure struct {
	ID          string `json:"id"` // the first of them
	Service     string `json:"service"`
	Code        string `json:"code"`
	Detail      string `json:"detail"`
	Fingerprint string `json:"fingerprint"`
	Count       int64  `json:"count"`
}

// mendPatience is how long one request goes on taking letters in hand; what is left is for the next one.
const mendPatience = 5 * time.Second

func checkMend(c *requestCheck, b mendBody) {
	if (len(b.IDs) == 0) == (b.Filter == nil) {
		c.wrong("/filter", "write ids, or a filter ({} for all)")
	}
	if len(b.IDs) > maxLimit {
		c.wrong("/ids", "has more than "+strconv.Itoa(maxLimit)+"; use a filter, as by fingerprint")
	}
	if codes := router.LetterCodes(); b.Filter != nil && b.Filter.Code != "" && !slices.Contains(codes, b.Filter.Code) {
		c.wrong("/filter/code", "must be one of "+strings.Join(codes, ", "))
	}
	for i, id := range b.IDs {
		if _, _, err := parseLetterID(id); err != nil {
			c.wrong("/ids/"+strconv.Itoa(i), "is no dead letter's id; write one as in inventory-42")
		}
	}
	if b.Reason == "" && !b.DryRun {
		c.wrong("/reason", "is required: it is kept in the audit")
	}
	if _, _, err := parseLetterID(b.After); b.After != "" && err != nil {
		c.wrong("/after", "is none that this server gave out")
	}
}

// strictly refuses members that a body does not have: a filter with a mistyped name would mean all.
func strictly[B any](raw []byte) error {
	var body B
	if err := json.Unmarshal(raw, &body, json.RejectUnknownMembers(true)); err != nil {
		return store.Refuse(store.InvalidValue, "", "%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

type mend func(s *router.Service, ctx context.Context, m router.Mending) (router.Mended, error)

// mending is an action on dead letters: try is what a dry run does instead.
func (s *Server) mending(name string, do, try mend) action {
	handle := func(c *gin.Context) {
		body, raw, err := requestBody(c, s.MaxBody, checkMend)
		if err == nil {
			err = strictly[mendBody](raw)
		}
		if err != nil {
			s.refuse(c, err)
			return
		}
		act := do
		if body.DryRun {
			act = try
		}
		m := mender{server: s, c: c, path: "/dead-letters/" + name, act: act, body: body, asker: askerFor(c), answer: Mended{DryRun: body.DryRun, Failures: []LetterFailure{}}}
		if err := m.run(); err != nil {
			s.refuse(c, err)
			return
		}
		writeJSON(c, http.StatusOK, m.answer)
	}
	return action{body: mendBody{}, status: http.StatusOK, answer: Mended{}, handle: handle}
}

// mender carries one request through the services, one after the other.
type mender struct {
	server *Server
	c      *gin.Context
	path   string
	act    mend
	body   mendBody
	asker  asker
	answer Mended
}

// run goes through the services in the order of their names. It ends early when the same failure returned, or when its time
// is over; the answer says where the next request goes on.
func (m *mender) run() error {
	ids, err := m.byService()
	if err != nil {
		return err
	}
	var names []string
	byName := map[string]any{}
	here, away, err := m.server.asks(m.c, m.filter().Service)
	if err != nil {
		return err
	}
	for _, service := range here {
		names, byName[service.Name()] = append(names, service.Name()), service
	}
	for _, p := range away {
		names, byName[p.Service] = append(names, p.Service), p
	}
	slices.Sort(names)
	began := time.Now()
	from, after, _ := parseLetterID(cmp.Or(m.body.After, "-")) // checked before
	for _, name := range names {
		if name < from || len(m.body.IDs) > 0 && ids[name] == nil {
			continue
		}
		if m.body.Limit > 0 && m.answer.Tried >= m.body.Limit || time.Since(began) > mendPatience {
			m.answer.Next = cmp.Or(m.answer.Next, letterID(name, store.LetterID{}))
			return nil
		}
		if name != from {
			after = store.LetterID{}
		}
		switch at := byName[name].(type) {
		case *router.Service:
			err = m.here(at, ids[name], after)
		case *peer:
			err = m.away(at, ids[name], after)
		}
		if err != nil || m.answer.Stopped != nil || m.answer.Next != "" {
			return err
		}
	}
	return nil
}

func (m *mender) filter() letterFilter {
	if m.body.Filter == nil {
		return letterFilter{}
	}
	return *m.body.Filter
}

// byService sorts the ids by the service that they name.
func (m *mender) byService() (map[string][]store.LetterID, error) {
	known := m.server.known()
	ids := map[string][]store.LetterID{}
	for _, text := range m.body.IDs {
		service, id, err := parseLetterID(text)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(known, service) {
			return nil, store.Refuse(store.InvalidValue, "", "no service is named %q; there are %s", service, strings.Join(known, ", "))
		}
		ids[service] = append(ids[service], id)
	}
	return ids, nil
}

func (m *mender) remaining() int64 {
	if m.body.Limit == 0 {
		return 0
	}
	return m.body.Limit - m.answer.Tried
}

// here acts on the letters of a service of this process.
func (m *mender) here(service *router.Service, ids []store.LetterID, after store.LetterID) error {
	f := m.filter()
	request := router.Mending{
		Actor: m.server.callerOf(m.c).Name, Reason: m.body.Reason, After: after, Limit: int(m.remaining()), Patience: mendPatience,
		Filter: store.LetterFilter{IDs: ids, Type: f.Type, Code: f.Code, Fingerprint: f.Fingerprint, Key: f.Key},
	}
	if f.Since != nil {
		request.Filter.Since = *f.Since
	}
	done, err := m.act(service, m.c.Request.Context(), request)
	if err != nil {
		return m.broken(service.Name(), err)
	}
	part := Mended{Tried: done.Tried, Outcomes: outcomesOf(done.Outcomes)}
	for _, code := range slices.Sorted(maps.Keys(done.Waits)) {
		part.Waits = append(part.Waits, Wait{code, done.Waits[code]})
	}
	for _, f := range done.Failures {
		part.Failures = append(part.Failures, failureOf(service.Name(), f))
	}
	if done.Stopped != nil {
		stopped := failureOf(service.Name(), *done.Stopped)
		part.Stopped = &stopped
	}
	if done.More {
		part.Next = letterID(service.Name(), done.Last)
	}
	m.add(part)
	return nil
}

// broken ends the walk at a service that cannot go on: with its error if nothing was done before, else the answer tells both.
func (m *mender) broken(service string, err error) error {
	if m.answer.Tried == 0 {
		return err
	}
	m.answer.Stopped = &LetterFailure{Service: service, Code: router.CodeUnavailable, Detail: err.Error(), Count: 1}
	return nil
}

func failureOf(service string, f router.LetterFailure) LetterFailure {
	return LetterFailure{ID: letterID(service, f.ID), Service: service, Code: f.Code, Detail: f.Detail, Fingerprint: f.Fingerprint, Count: max(f.Count, 1)}
}

// away has a peer act on the letters of its service.
func (m *mender) away(p *peer, ids []store.LetterID, after store.LetterID) error {
	body := m.body
	body.IDs, body.After, body.Limit = nil, "", m.remaining()
	for _, id := range ids {
		body.IDs = append(body.IDs, letterID(p.Service, id))
	}
	if body.Filter != nil {
		filter := m.filter()
		filter.Service = p.Service
		body.Filter = &filter
	}
	if after != (store.LetterID{}) {
		body.After = letterID(p.Service, after)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	var part Mended
	err = m.asker.post(m.c.Request.Context(), p, m.path, raw, &part)
	if lost, ok := lostPeer(err); ok {
		note := lost.Error()
		if lost.received {
			note += "; it may have acted: look, or repeat the request, which does no harm"
		}
		m.answer.Unreachable = append(m.answer.Unreachable, note)
		return nil
	}
	if err != nil {
		return m.broken(p.Service, err)
	}
	m.add(part)
	return nil
}

func lostPeer(err error) (lost *unreachable, ok bool) { return lost, errors.As(err, &lost) }

// add counts what became of some more letters.
func (m *mender) add(part Mended) { m.answer.Add(part) }

// Add takes over what a further request did.
func (a *Mended) Add(part Mended) {
	a.Tried += part.Tried
	for _, f := range part.Failures {
		a.addFailure(f)
	}
	for _, w := range part.Waits {
		a.addWait(w)
	}
	a.Stopped, a.Next = part.Stopped, part.Next
	for _, line := range part.Unreachable {
		if !slices.Contains(a.Unreachable, line) {
			a.Unreachable = append(a.Unreachable, line)
		}
	}
	sum, more := a.Outcomes.counts(), part.Outcomes.counts()
	for i := range sum {
		*sum[i] += *more[i]
	}
}

func (a *Mended) addWait(w Wait) {
	i := slices.IndexFunc(a.Waits, func(known Wait) bool { return known.Code == w.Code })
	if i < 0 {
		a.Waits = append(a.Waits, w)
		return
	}
	a.Waits[i].Count += w.Count
}

func (a *Mended) addFailure(f LetterFailure) {
	for i, known := range a.Failures {
		if known.Service == f.Service && known.Code == f.Code && known.Fingerprint == f.Fingerprint {
			a.Failures[i].Count += f.Count
			return
		}
	}
	a.Failures = append(a.Failures, f)
}

func (o *Outcomes) counts() []*int64 {
	return []*int64{&o.Applied, &o.Ignored, &o.Duplicate, &o.Waiting, &o.Retrying, &o.Dead, &o.Discarded, &o.Released, &o.Gone, &o.Skipped}
}

// Outcome is one of them, by name.
type Outcome struct {
	Name  string
	Count int64
}

// Named are the outcomes in words.
func (o Outcomes) Named() []Outcome {
	words := []string{"applied", "ignored", "handled before", "waiting", "retrying", "failed", "discarded", "released", "gone before", "skipped"}
	named := make([]Outcome, len(words))
	for i, n := range o.counts() {
		named[i] = Outcome{words[i], *n}
	}
	return named
}

func outcomesOf(counts map[string]int64) Outcomes {
	return Outcomes{
		Applied: counts["applied"], Ignored: counts["ignored"], Duplicate: counts["duplicate"], Waiting: counts["waiting"], Retrying: counts["retrying"],
		Dead: counts["dead"], Discarded: counts["discarded"], Released: counts["released"], Gone: counts["gone"], Skipped: counts["skipped"],
	}
}

// sortGroups puts the largest first.
func sortGroups(groups []DeadLetterGroup) {
	slices.SortFunc(groups, func(a, b DeadLetterGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Service, b.Service), strings.Compare(a.Fingerprint, b.Fingerprint))
	})
}

func sortHeaders(headers []Header) {
	slices.SortFunc(headers, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
}
