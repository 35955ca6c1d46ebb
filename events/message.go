package events

import (
	"bytes"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// message is a message taken apart: its top level, and its data where the contract was known in time. What it has allocated is
// used again after release.
type message struct {
	raw        []byte
	members    []member
	definition *Definition // of its event_type; nil if that is unknown or came after data
	data       Payload
	problems   []Problem // of data

	space   [8]member // of members, which rarely are more
	decoder jsontext.Decoder
	buffer  bytes.Buffer
}

// member is a top-level key with its value and where they stand.
type member struct {
	name       string
	text       string // of a string
	nameAt     int32  // offset of the opening quote of the name
	nameEnd    int32
	valueStart int32
	valueEnd   int32
	kind       jsontext.Kind
	old        bool // it came under the old dialect's name
}

func (m *message) value(one *member) jsontext.Value {
	return jsontext.Value(m.raw[one.valueStart:one.valueEnd])
}

func (m *message) find(name string) *member {
	for i := range m.members {
		if m.members[i].name == name {
			return &m.members[i]
		}
	}
	return nil
}

// split checks the limits and the syntax and takes the top level apart. With a catalogue it also reads the data, in the same
// pass, if event_type stands before it.
func split(raw []byte, c *Catalogue) (*message, *Invalid) {
	if bad := checkText(raw); bad != nil {
		return nil, bad
	}
	m := messages.Get().(*message)
	m.raw, m.members = raw, m.space[:0]
	dec := m.decoderOf(raw)
	if k := dec.PeekKind(); k != '{' {
		if _, err := dec.ReadValue(); err != nil {
			return nil, syntaxProblem(raw, err)
		}
		return nil, invalid("", NotObject, "the message must be a JSON object, is %s", describe(k))
	}
	if err := m.read(dec, c); err != nil {
		return nil, syntaxProblem(raw, err)
	}
	if end := dec.InputOffset(); len(bytes.TrimSpace(raw[end:])) > 0 { // not quoted: it may be anything, of anybody
		return nil, invalid("", MalformedJSON, "something follows after the end of the object, at byte %d", end)
	}
	return m, nil
}

var messages = sync.Pool{New: func() any { return &message{} }}

func (m *message) decoderOf(raw []byte) *jsontext.Decoder {
	m.buffer = *bytes.NewBuffer(raw)
	m.decoder.Reset(&m.buffer)
	return &m.decoder
}

// release gives a message back that nobody refers to any more.
func (m *message) release() {
	m.decoderOf(nil) // it lets go of the bytes
	clear(m.space[:])
	m.raw, m.members, m.definition, m.data, m.problems = nil, nil, nil, nil, nil
	messages.Put(m)
}

func checkText(raw []byte) *Invalid {
	if bad := checkLimits(raw); bad != nil {
		return bad
	}
	if bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) {
		return invalid("", MalformedJSON, "the message begins with a byte order mark; leave it out")
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return invalid("", MalformedJSON, "the message is empty")
	}
	if !utf8.Valid(raw) {
		return invalid("", InvalidUTF8, "the text is not valid UTF-8")
	}
	return nil
}

func (m *message) read(dec *jsontext.Decoder, c *Catalogue) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		one := member{name: envelopeName(name), nameEnd: int32(dec.InputOffset())} // a message is small
		one.nameAt = one.nameEnd - int32(len(name))
		one.kind = dec.PeekKind()
		var value jsontext.Value
		if one.name == "data" && m.definition != nil && one.kind != 'n' {
			err = m.readData(dec)
		} else {
			value, err = dec.ReadValue()
		}
		if err != nil {
			return err
		}
		one.valueEnd = int32(dec.InputOffset())
		one.valueStart = one.valueEnd - int32(len(value))
		if one.kind == '"' && value != nil {
			one.text = unquote(value)
		}
		if one.name == "event_type" && c != nil {
			m.definition = c.reading(CanonicalType(one.text), m)
		}
		m.members = append(m.members, one)
	}
	_, err := dec.ReadToken() // '}', or what is wrong
	return err
}

func (m *message) readData(dec *jsontext.Decoder) (err error) {
	r := reader{dec: dec}
	m.data, err = m.definition.read(&r)
	m.problems = r.problems
	return err
}

// envelopeName is the name of a member, without a copy where it is one of the envelope's.
func envelopeName(quoted jsontext.Value) string {
	for _, name := range [...]string{"event_id", "correlation_id", "timestamp", "source_service", "event_version", "event_type", "data"} {
		if len(quoted) == len(name)+2 && string(quoted[1:len(quoted)-1]) == name {
			return name
		}
	}
	return unquote(quoted)
}

// unquote is the text of a JSON string that has been found valid.
func unquote(quoted jsontext.Value) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	plain, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return "" // it was found valid
	}
	return string(plain)
}

// asWritten names a field as the message does: version, where the old dialect was rewritten.
func (m *message) asWritten(problems []Problem) []Problem {
	for i := range problems {
		if one := m.find("event_version"); problems[i].Path == "/event_version" && one != nil && one.old {
			problems[i].Path = "/version"
		}
	}
	return problems
}
