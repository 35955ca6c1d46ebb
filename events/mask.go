package events

import (
	"bytes"
	"io"
	"reflect"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Masked stands for personal data, and Unclassified for values that no contract classifies, where a message is shown.
const (
	Masked       = "[personal data]"
	Unclassified = "[not in the contract]"
)

// envelopeFields are shown as they are; version is the old dialect's.
var envelopeFields = []string{"event_id", "correlation_id", "timestamp", "source_service", "event_version", "version", "event_type"}

// Mask gives a message with its personal data masked, as class:"personal" marks it, and what its contract does not know:
// an unknown field may hold anything. The contract is that of the type and major version which the message names, else the
// topic's. paths names what was masked. The error says that the message is no JSON object, so that nothing of it is safe to show.
func (c *Catalogue) Mask(topic string, raw []byte) (masked []byte, paths []string, err error) {
	e := Peek(raw)
	d, known := c.major(e.EventType, majorOf(e.EventVersion))
	if !known {
		d, known = c.ByTopic(topic)
	}
	message := &Shape{Kind: KindObject, byName: map[string]*Member{}}
	for _, name := range envelopeFields {
		message.byName[name] = &Member{Shape: &Shape{Kind: KindString}}
	}
	if known {
		message.byName["data"] = &Member{Shape: d.Shape}
	}
	return mask(raw, message)
}

// MaskAs masks JSON by the Go type that it is decoded to.
func MaskAs[T any](raw []byte) (masked []byte, paths []string, err error) {
	return mask(raw, cachedShape(reflect.TypeFor[T]()))
}

func mask(raw []byte, s *Shape) ([]byte, []string, error) {
	var out bytes.Buffer
	lenient := []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}
	m := masker{dec: jsontext.NewDecoder(bytes.NewReader(raw), lenient...), enc: jsontext.NewEncoder(&out, lenient...)}
	if err := m.value(s, "", ""); err != nil {
		return nil, nil, err
	}
	if _, err := m.dec.ReadToken(); err != io.EOF { //nolint:errorlint // jsontext answers io.EOF itself
		return nil, nil, &Invalid{Problems: []Problem{{Code: MalformedJSON, Detail: "something follows after the end of the value"}}}
	}
	return bytes.TrimSpace(out.Bytes()), m.paths, nil
}

type masker struct {
	dec   *jsontext.Decoder
	enc   *jsontext.Encoder
	paths []string
}

// value copies one value. with is what stands for each scalar in it, "" to show it; s is nil for what no contract knows.
func (m *masker) value(s *Shape, with, path string) error {
	got := m.dec.PeekKind()
	scalar := got != '{' && got != '['
	if with == "" && (s == nil || scalar && (s.Kind == KindObject || s.Kind == KindList)) {
		with = Unclassified
	}
	switch {
	case got == '{':
		return m.object(s, with, path)
	case got == '[':
		return m.list(s, with, path)
	case with != "" && got != 'n' && got != 0:
		m.note(path)
		if err := m.dec.SkipValue(); err != nil {
			return err
		}
		return m.enc.WriteToken(jsontext.String(with))
	}
	value, err := m.dec.ReadValue()
	if err != nil {
		return err
	}
	return m.enc.WriteValue(value)
}

func (m *masker) note(path string) {
	if !slices.Contains(m.paths, path) {
		m.paths = append(m.paths, path)
	}
}

func (m *masker) copyToken() error {
	token, err := m.dec.ReadToken()
	if err != nil {
		return err
	}
	return m.enc.WriteToken(token)
}

func (m *masker) object(s *Shape, with, path string) error {
	if err := m.copyToken(); err != nil {
		return err
	}
	for m.dec.PeekKind() == '"' {
		token, err := m.dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		if err := m.enc.WriteToken(jsontext.String(name)); err != nil {
			return err
		}
		inner, mark := s, with
		if s == nil || s.Kind != KindAny {
			inner, mark = fieldOf(s, name, with)
		}
		if err := m.value(inner, mark, path+"/"+name); err != nil {
			return err
		}
	}
	return m.copyToken() // }, or what is wrong
}

func fieldOf(s *Shape, name, with string) (*Shape, string) {
	if s == nil || s.byName[name] == nil {
		return nil, with
	}
	f := s.byName[name]
	if f.Personal {
		with = Masked
	}
	return f.Shape, with
}

func (m *masker) list(s *Shape, with, path string) error {
	if err := m.copyToken(); err != nil {
		return err
	}
	var inner *Shape
	switch {
	case s != nil && s.Kind == KindAny:
		inner = s
	case s != nil:
		inner = s.Element
	}
	for i := 0; m.dec.PeekKind() != ']' && m.dec.PeekKind() != 0; i++ {
		if err := m.value(inner, with, path+"/"+strconv.Itoa(i)); err != nil {
			return err
		}
	}
	return m.copyToken()
}
