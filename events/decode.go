package events

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Decode reads a message of the catalogue as a consumer does: it finds the contract, checks the structure, the values (with
// open vocabularies) and the publisher, and normalises the old dialect. Its error is an *Invalid with every problem found.
func (c *Catalogue) Decode(raw []byte) (*Decoded, error) {
	if d := c.decodePlain(raw); d != nil {
		return d, nil
	}
	return c.decode(raw, false)
}

// CheckPublish checks a message as its publisher: what Decode checks, and the closed vocabularies.
func (c *Catalogue) CheckPublish(raw []byte) (*Decoded, error) { return c.decode(raw, true) }

func (c *Catalogue) decode(raw []byte, closed bool) (*Decoded, error) {
	m, bad := split(raw, c)
	if bad != nil {
		return nil, bad
	}
	defer m.release()
	d := &Decoded{Raw: raw}
	if d.Raw, d.Legacy, bad = m.normalise(); bad != nil {
		return nil, bad
	}
	var problems []Problem
	d.Envelope, problems = m.envelope()
	d.Definition, problems = c.match(d.Envelope, problems)
	var more []Problem
	d.Payload, more = m.payload(d.Definition, closed)
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, &Invalid{Problems: m.asWritten(problems)}
	}
	d.Key = keyOf(d.Payload, d.Definition.Contract.Key)
	return d, nil
}

// payload is the data of the contract, checked with open or closed vocabularies.
func (m *message) payload(d *Definition, closed bool) (Payload, []Problem) {
	data := m.find("data")
	if data == nil || data.kind == 'n' {
		return nil, []Problem{{Path: "/data", Code: MissingField, Detail: "is required"}}
	}
	if d == nil {
		return nil, nil
	}
	if m.data == nil { // event_type came after it
		r := &reader{dec: m.decoderOf(m.value(data)), prefix: "/data"}
		var err error
		if m.data, err = d.read(r); err != nil {
			return nil, syntaxProblem(m.value(data), err).Problems
		}
		m.problems = r.problems
	}
	problems := m.problems
	var bad *Invalid
	if errors.As(m.data.Validate(), &bad) {
		if !closed {
			bad = bad.open()
		}
		problems = alsoWrong(problems, bad)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return m.data, nil
}

// alsoWrong adds to what could not be read of the data what its values break, so that all of it is told at once. What only
// follows from the former is left out: that a field which could not be read is empty, or does not fit another.
func alsoWrong(unread []Problem, bad *Invalid) []Problem {
	if bad == nil {
		return unread
	}
	if len(unread) == 0 {
		return bad.under("/data").Problems
	}
	all := slices.Clone(unread)
	for _, p := range bad.under("/data").Problems {
		follows := p.ours || slices.ContainsFunc(unread, func(u Problem) bool { return p.Path == u.Path || strings.HasPrefix(p.Path, u.Path+"/") })
		if !follows {
			all = append(all, p)
		}
	}
	return all
}

// text reads a string member; ok is false, and a problem added, when there is none.
func (m *message) text(name string, problems *[]Problem) (string, bool) {
	one := m.find(name)
	if one == nil || one.kind == 'n' {
		*problems = append(*problems, Problem{Path: "/" + name, Code: MissingField, Detail: m.missing(name)})
		return "", false
	}
	if one.kind != '"' {
		*problems = append(*problems, Problem{Path: "/" + name, Code: WrongType, Detail: "must be a string, is " + describe(one.kind)})
		return "", false
	}
	return one.text, true
}

func (m *message) missing(name string) string {
	for _, other := range m.members {
		if strings.EqualFold(other.name, name) {
			return "is required; \"" + other.name + "\" is another key"
		}
	}
	return "is required"
}

var (
	serviceForm = regexp.MustCompile(ServicePattern)
	versionForm = regexp.MustCompile(VersionPattern)
)

func (m *message) envelope() (e Envelope, problems []Problem) {
	add := func(path string, code Code, detail string) {
		problems = append(problems, Problem{Path: path, Code: code, Detail: detail})
	}
	if id, ok := m.text("event_id", &problems); ok {
		parsed, err := uuid.Parse(id)
		if err != nil || len(id) != 36 || parsed == uuid.Nil {
			add("/event_id", InvalidEventID, "must be a UUID, not the nil one, such as 550e8400-e29b-41d4-a716-446655440000")
		}
		e.EventID = parsed
	}
	var ok bool
	if e.CorrelationID, ok = m.text("correlation_id", &problems); ok && !ValidID(e.CorrelationID) {
		add("/correlation_id", InvalidValue, "must be 1–128 printable characters")
	}
	if at, ok := m.text("timestamp", &problems); ok {
		parsed, err := parseTime(at)
		if err != nil {
			add("/timestamp", InvalidTimestamp, err.Error())
		}
		e.Timestamp = parsed
	}
	known := m.definition != nil // then its own values need no look at their form
	if e.SourceService, ok = m.text("source_service", &problems); ok && (!known || e.SourceService != m.definition.Contract.Publisher) && !serviceForm.MatchString(e.SourceService) {
		add("/source_service", InvalidValue, "must be kebab-case such as order-management-service")
	}
	if e.EventVersion, ok = m.text("event_version", &problems); ok && (!known || e.EventVersion != m.definition.Contract.Version) && !versionForm.MatchString(e.EventVersion) {
		add("/event_version", InvalidValue, "must be MAJOR.MINOR such as 1.0")
	}
	if e.EventType, ok = m.text("event_type", &problems); ok && e.EventType == "" {
		add("/event_type", UnknownType, "must not be empty")
	}
	return e, problems
}

// Peek reads what it can of the envelope of a message that does not decode, so that it can be found again. Fields that
// cannot be read are zero.
func Peek(raw []byte) Envelope {
	m, bad := split(raw, nil)
	if bad != nil {
		return Envelope{}
	}
	defer m.release()
	e, _ := m.envelope()
	if old := m.find("version"); e.EventVersion == "" && old != nil {
		e.EventVersion = old.text // of the old dialect
	}
	return e
}

// match finds the contract of an envelope and checks version and publisher.
func (c *Catalogue) match(e Envelope, problems []Problem) (*Definition, []Problem) {
	if e.EventType == "" {
		return nil, problems
	}
	major := majorOf(e.EventVersion)
	d, known := c.major(e.EventType, major)
	if !known {
		return nil, append(problems, Problem{Path: "/event_type", Code: UnknownType, Detail: "no contract is named \"" + clip(e.EventType) + "\""})
	}
	if major != d.Contract.Major() && versionForm.MatchString(e.EventVersion) {
		problems = append(problems, Problem{Path: "/event_version", Code: UnsupportedVersion, Detail: "is " + e.EventVersion + ", this platform knows major version " + d.Contract.Major()})
	}
	if e.SourceService != "" && e.SourceService != d.Contract.Publisher {
		problems = append(problems, Problem{Path: "/source_service", Code: WrongPublisher, Detail: e.EventType + " is published by " + d.Contract.Publisher + ", not by " + clip(e.SourceService)})
	}
	return d, problems
}

// Encode writes an event in its canonical form after checking it as its publisher. Its error is an *Invalid whose paths
// begin at the message.
func Encode(e Envelope, p Payload) ([]byte, error) {
	var bad *Invalid
	if errors.As(p.Validate(), &bad) {
		return nil, bad.under("/data")
	}
	if problems := checkEnvelope(e, p.Contract()); len(problems) > 0 {
		return nil, &Invalid{Problems: problems}
	}
	return json.Marshal(struct {
		Envelope
		Data Payload `json:"data"`
	}{e, p}, inUTC)
}

// inUTC writes every time in UTC, as consumers require, whatever zone a handler worked in.
var inUTC = json.WithMarshalers(json.MarshalToFunc(func(enc *jsontext.Encoder, at time.Time) error {
	return enc.WriteToken(jsontext.String(at.UTC().Format(time.RFC3339Nano)))
}))

func checkEnvelope(e Envelope, c Contract) (problems []Problem) {
	add := func(path string, code Code, detail string) {
		problems = append(problems, Problem{Path: path, Code: code, Detail: detail})
	}
	if e.EventID == uuid.Nil {
		add("/event_id", MissingField, "is required")
	}
	if !ValidID(e.CorrelationID) {
		add("/correlation_id", InvalidValue, "must be 1–128 printable characters")
	}
	if e.Timestamp.IsZero() {
		add("/timestamp", MissingField, "is required")
	}
	if e.SourceService != c.Publisher {
		add("/source_service", WrongPublisher, c.Type+" is published by "+c.Publisher+", not by "+clip(e.SourceService))
	}
	if e.EventType != c.Type {
		add("/event_type", UnknownType, "the payload is a "+c.Type)
	}
	return problems
}
