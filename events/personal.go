package events

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json/jsontext"
)

// Erased stands where a personal text stood. A redacted event keeps to its contract, so that it can still be handled.
const Erased = "erased"

// Personal tells whether the data holds personal fields (class:"personal").
func (d *Definition) Personal() bool { return d.Shape.personal }

// Subject is the id of the person whose data the event holds (class:"subject"), "" if it holds none.
func (d *Decoded) Subject() string {
	s := d.Definition.Shape
	if s.subject < 0 || !s.personal {
		return ""
	}
	return reflect.ValueOf(d.Payload).Field(s.subject).String()
}

// Redacted is the event without its personal data: personal fields hold placeholders, and what the contract does not know is
// gone, because nobody can tell what it is. Redacting it again changes nothing.
func (d *Decoded) Redacted() ([]byte, error) {
	message, bad := split(d.Raw, nil)
	if bad != nil {
		return nil, bad
	}
	defer message.release()
	var out bytes.Buffer
	enc := jsontext.NewEncoder(&out)
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return nil, err
	}
	for _, name := range []string{"event_id", "correlation_id", "timestamp", "source_service", "event_version", "event_type", "data"} {
		value := message.value(message.find(name)) // it was decoded, so that all stand
		if name == "data" {
			var err error
			if value, err = redact(value, d.Definition.Shape); err != nil {
				return nil, err
			}
		}
		if err := writeMember(enc, name, value); err != nil {
			return nil, err
		}
	}
	if err := enc.WriteToken(jsontext.EndObject); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

func writeMember(enc *jsontext.Encoder, name string, value jsontext.Value) error {
	if err := enc.WriteToken(jsontext.String(name)); err != nil {
		return err
	}
	return enc.WriteValue(value)
}

// redact rewrites an object: known fields only, personal ones blanked.
func redact(raw jsontext.Value, s *Shape) (jsontext.Value, error) {
	members := &message{raw: raw}
	if err := members.read(jsontext.NewDecoder(bytes.NewBuffer(raw)), nil); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := jsontext.NewEncoder(&out)
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return nil, err
	}
	for i := range s.Members {
		m := &s.Members[i]
		stands := members.find(m.Name)
		if stands == nil {
			continue
		}
		value, err := m.redacted(members.value(stands))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		if err := writeMember(enc, m.Name, value); err != nil {
			return nil, err
		}
	}
	if err := enc.WriteToken(jsontext.EndObject); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

func (m *Member) redacted(value jsontext.Value) (jsontext.Value, error) {
	switch {
	case value.Kind() == 'n':
		return value, nil
	case m.Personal:
		return m.blank(), nil
	case m.Kind == KindObject:
		return redact(value, m.Shape)
	case m.Kind == KindList && m.Element.Kind == KindObject:
		return redactList(value, m.Element)
	}
	return value, nil
}

func redactList(raw jsontext.Value, element *Shape) (jsontext.Value, error) {
	dec, out := jsontext.NewDecoder(bytes.NewReader(raw)), bytes.Buffer{}
	enc := jsontext.NewEncoder(&out)
	if _, err := dec.ReadToken(); err != nil {
		return nil, err
	}
	if err := enc.WriteToken(jsontext.BeginArray); err != nil {
		return nil, err
	}
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		if value, err = redact(value.Clone(), element); err != nil {
			return nil, err
		}
		if err := enc.WriteValue(value); err != nil {
			return nil, err
		}
	}
	err := enc.WriteToken(jsontext.EndArray)
	return bytes.TrimSpace(out.Bytes()), err
}

// blank is a value that says nothing and still fits the field's kind.
func (s *Shape) blank() jsontext.Value {
	switch s.Kind {
	case KindString:
		return jsontext.Value(`"` + Erased + `"`)
	case KindInteger:
		return jsontext.Value("0")
	case KindBool:
		return jsontext.Value("false")
	case KindMoney:
		return jsontext.Value(`"0.00"`)
	case KindTime:
		return jsontext.Value(`"1970-01-01T00:00:00Z"`)
	case KindList:
		return jsontext.Value("[]")
	case KindObject:
		out := []byte{'{'}
		for i := range s.Members {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, `"`+s.Members[i].Name+`":`...)
			out = append(out, s.Members[i].blank()...)
		}
		return append(out, '}')
	}
	return jsontext.Value("null")
}
