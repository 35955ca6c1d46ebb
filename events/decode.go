package events

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// member is a top-level key with its value and where they stand.
type member struct {
	name       string
	nameAt     int // offset of the opening quote of the name
	nameEnd    int
	value      jsontext.Value
	valueStart int
	valueEnd   int
	old        bool // it came under the old dialect's name
}

// Decode reads a message of the catalogue as a consumer does: it finds the contract, checks the structure, the values (with
// open vocabularies) and the publisher, and normalises the old dialect. Its error is an *Invalid with every problem found.
func (c *Catalogue) Decode(raw []byte) (*Decoded, error) {
	members, bad := split(raw)
	if bad != nil {
		return nil, bad
	}
	raw, members, legacy, bad := normalise(raw, members)
	if bad != nil {
		return nil, bad
	}
	d := &Decoded{Raw: raw, Legacy: legacy}
	var problems []Problem
	d.Envelope, problems = readEnvelope(members)
	d.Definition, problems = c.match(d.Envelope, problems)
	data, present := members["data"]
	if !present || data.value.Kind() == 'n' {
		problems = append(problems, Problem{Path: "/data", Code: MissingField, Detail: "is required"})
	} else if d.Definition != nil {
		var more []Problem
		d.Payload, more = d.Definition.readData(data.value)
		problems = append(problems, more...)
	}
	if len(problems) > 0 {
		return nil, &Invalid{Problems: asWritten(problems, members)}
	}
	d.Key = KeyOf(d.Payload)
	return d, nil
}

// asWritten names a field as the message does: version, where the old dialect was rewritten.
func asWritten(problems []Problem, members map[string]member) []Problem {
	for i := range problems {
		if problems[i].Path == "/event_version" && members["event_version"].old {
			problems[i].Path = "/version"
		}
	}
	return problems
}

// split checks the limits and the syntax and takes the top level apart.
func split(raw []byte) (map[string]member, *Invalid) {
	if bad := checkLimits(raw); bad != nil {
		return nil, bad
	}
	if bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) {
		return nil, invalid("", MalformedJSON, "the message begins with a byte order mark; leave it out")
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, invalid("", MalformedJSON, "the message is empty")
	}
	if !utf8.Valid(raw) {
		return nil, invalid("", InvalidUTF8, "the text is not valid UTF-8")
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if k := dec.PeekKind(); k != '{' {
		if _, err := dec.ReadValue(); err != nil {
			return nil, syntaxProblem(raw, err)
		}
		return nil, invalid("", NotObject, "the message must be a JSON object, is %s", describe(k))
	}
	members, err := readMembers(dec, raw)
	if err != nil {
		return nil, syntaxProblem(raw, err)
	}
	if rest := bytes.TrimSpace(raw[dec.InputOffset():]); len(rest) > 0 {
		return nil, invalid("", MalformedJSON, "something follows after the end of the object: %q", clip(string(rest)))
	}
	return members, nil
}

func readMembers(dec *jsontext.Decoder, raw []byte) (map[string]member, error) {
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	members := make(map[string]member, 8)
	for dec.PeekKind() == '"' {
		token, err := dec.ReadToken()
		if err != nil {
			return nil, err
		}
		m := member{name: token.String(), nameEnd: int(dec.InputOffset())}
		m.nameAt = bytes.LastIndexByte(raw[:m.nameEnd-1], '"')
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		m.valueEnd = int(dec.InputOffset())
		m.valueStart = m.valueEnd - len(value)
		m.value = jsontext.Value(raw[m.valueStart:m.valueEnd])
		members[m.name] = m
	}
	_, err := dec.ReadToken() // '}', or what is wrong
	return members, err
}

// text reads a string member; ok is false when it is absent, and a problem is added when it is no string.
func text(members map[string]member, name string, problems *[]Problem) (string, bool) {
	m, present := members[name]
	if !present || m.value.Kind() == 'n' {
		*problems = append(*problems, Problem{Path: "/" + name, Code: MissingField, Detail: missingDetail(members, name)})
		return "", false
	}
	if m.value.Kind() != '"' {
		*problems = append(*problems, Problem{Path: "/" + name, Code: WrongType, Detail: "must be a string, is " + describe(m.value.Kind())})
		return "", false
	}
	plain, err := jsontext.AppendUnquote(nil, m.value)
	if err != nil {
		*problems = append(*problems, syntaxProblem(m.value, err).under("/"+name).Problems...)
		return "", false
	}
	return string(plain), true
}

func missingDetail(members map[string]member, name string) string {
	for other := range members {
		if strings.EqualFold(other, name) {
			return "is required; \"" + other + "\" is another key"
		}
	}
	return "is required"
}

var (
	serviceForm = regexp.MustCompile(ServicePattern)
	versionForm = regexp.MustCompile(VersionPattern)
)

func readEnvelope(members map[string]member) (e Envelope, problems []Problem) {
	add := func(path string, code Code, detail string) {
		problems = append(problems, Problem{Path: path, Code: code, Detail: detail})
	}
	if id, ok := text(members, "event_id", &problems); ok {
		parsed, err := uuid.Parse(id)
		if err != nil || len(id) != 36 || parsed == uuid.Nil {
			add("/event_id", InvalidEventID, "must be a UUID, not the nil one, such as 550e8400-e29b-41d4-a716-446655440000")
		}
		e.EventID = parsed
	}
	var ok bool
	if e.CorrelationID, ok = text(members, "correlation_id", &problems); ok && !ValidID(e.CorrelationID) {
		add("/correlation_id", InvalidValue, "must be 1–128 printable characters")
	}
	if at, ok := text(members, "timestamp", &problems); ok {
		parsed, err := parseTime(at)
		if err != nil {
			add("/timestamp", InvalidTimestamp, err.Error())
		}
		e.Timestamp = parsed
	}
	if e.SourceService, ok = text(members, "source_service", &problems); ok && !serviceForm.MatchString(e.SourceService) {
		add("/source_service", InvalidValue, "must be kebab-case such as order-management-service")
	}
	if e.EventVersion, ok = text(members, "event_version", &problems); ok && !versionForm.MatchString(e.EventVersion) {
		add("/event_version", InvalidValue, "must be MAJOR.MINOR such as 1.0")
	}
	if e.EventType, ok = text(members, "event_type", &problems); ok && e.EventType == "" {
		add("/event_type", UnknownType, "must not be empty")
	}
	return e, problems
}

// Peek reads what it can of the envelope of a message that does not decode, so that it can be found again. Fields that
// cannot be read are zero.
func Peek(raw []byte) Envelope {
	members, bad := split(raw)
	if bad != nil {
		return Envelope{}
	}
	e, _ := readEnvelope(members)
	return e
}

// match finds the contract of an envelope and checks version and publisher.
func (c *Catalogue) match(e Envelope, problems []Problem) (*Definition, []Problem) {
	if e.EventType == "" {
		return nil, problems
	}
	d, known := c.Lookup(e.EventType)
	if !known {
		return nil, append(problems, Problem{Path: "/event_type", Code: UnknownType, Detail: "no contract is named \"" + clip(e.EventType) + "\""})
	}
	major, _, _ := strings.Cut(e.EventVersion, ".")
	if versionForm.MatchString(e.EventVersion) && major != d.Contract.Major() {
		problems = append(problems, Problem{Path: "/event_version", Code: UnsupportedVersion, Detail: "is " + e.EventVersion + ", this platform knows major version " + d.Contract.Major()})
	}
	if e.SourceService != "" && e.SourceService != d.Contract.Publisher {
		problems = append(problems, Problem{Path: "/source_service", Code: WrongPublisher, Detail: e.EventType + " is published by " + d.Contract.Publisher + ", not by " + clip(e.SourceService)})
	}
	return d, problems
}

// readData checks and decodes the data of a contract, vocabularies open.
func (d *Definition) readData(raw jsontext.Value) (Payload, []Problem) {
	if problems := checkStructure(raw, d.Shape, "/data"); len(problems) > 0 {
		return nil, problems
	}
	payload, err := d.decode(raw)
	if err != nil {
		return nil, []Problem{{Path: "/data", Code: WrongType, Detail: err.Error()}}
	}
	var bad *Invalid
	if errors.As(payload.Validate(), &bad) {
		if bad = bad.open(); bad != nil {
			return nil, bad.under("/data").Problems
		}
	}
	return payload, nil
}

// CheckPublish checks a message as its publisher: what Decode checks, and the closed vocabularies.
func (c *Catalogue) CheckPublish(raw []byte) (*Decoded, error) {
	d, err := c.Decode(raw)
	if err != nil {
		return nil, err
	}
	var bad *Invalid
	if errors.As(d.Payload.Validate(), &bad) {
		return nil, bad.under("/data")
	}
	return d, nil
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
