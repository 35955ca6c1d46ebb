package events

import (
	"bytes"
	"reflect"
	"strconv"

	"github.com/google/uuid"
)

// plain reads events of the plain form, in which nearly all come: nothing but the contract's fields, each once and none null,
// in printable ASCII without escapes, of the very version that is known. It takes half the time of the decoder, which reads
// whatever is in another form, and what is wrong, and says why. What plain reads, the decoder reads the same.
type plain struct {
	raw  []byte
	at   int
	keys int
}

// decodePlain is an event of the plain form that keeps to its contract, nil for any other.
func (c *Catalogue) decodePlain(raw []byte) *Decoded {
	if len(raw) > MaxSize {
		return nil
	}
	p := &plain{raw: raw}
	d := &Decoded{Raw: raw}
	if !p.envelope(c, d) || !p.end() || d.Payload.Validate() != nil {
		return nil
	}
	d.Key = keyOf(d.Payload, d.Definition.Contract.Key)
	return d
}

// envelope reads all of an event.
func (p *plain) envelope(c *Catalogue, d *Decoded) bool {
	var seen [7]bool
	var source, version, eventType []byte
	ok := p.members(func(name []byte) (ok bool) {
		place := -1
		switch string(name) {
		case "event_id":
			place, ok = 0, p.uuid(&d.Envelope.EventID)
		case "correlation_id":
			place, ok = 1, p.id(&d.Envelope.CorrelationID)
		case "timestamp":
			var text []byte
			if text, ok = p.text(); ok {
				var err error
				d.Envelope.Timestamp, err = parseTime(string(text))
				ok = err == nil
			}
			place = 2
		case "source_service":
			source, ok = p.text()
			place = 3
		case "event_version":
			version, ok = p.text()
			place = 4
		case "event_type":
			eventType, ok = p.text()
			place = 5
		case "data":
			if d.Definition = c.exactly(eventType, version); d.Definition != nil { // unless they come after it
				d.Payload, ok = d.Definition.plain(p)
			}
			place = 6
		}
		if !ok || seen[place] {
			return false
		}
		seen[place] = true
		return true
	})
	if !ok || seen != [7]bool{true, true, true, true, true, true, true} || string(source) != d.Definition.Contract.Publisher {
		return false
	}
	k := &d.Definition.Contract
	d.Envelope.SourceService, d.Envelope.EventVersion, d.Envelope.EventType = k.Publisher, k.Version, k.Type
	return true
}

// exactly is the contract of a type and version.
func (c *Catalogue) exactly(eventType, version []byte) *Definition {
	for _, d := range c.byType[string(eventType)] {
		if d.Contract.Version == string(version) {
			return d
		}
	}
	return nil
}

// skip passes over white space and tells what stands behind it; 0 is no token of JSON, or the end.
func (p *plain) skip() byte {
	for ; p.at < len(p.raw); p.at++ {
		switch c := p.raw[p.at]; c {
		case ' ', '\n', '\r', '\t':
		default:
			return c
		}
	}
	return 0
}

func (p *plain) end() bool {
	p.skip()
	return p.at == len(p.raw)
}

// token passes over a character of JSON's punctuation, if it is the next one.
func (p *plain) token(c byte) bool {
	if p.skip() != c {
		return false
	}
	p.at++
	return true
}

// text reads a string.
func (p *plain) text() ([]byte, bool) {
	if !p.token('"') {
		return nil, false
	}
	start := p.at
	for ; p.at < len(p.raw); p.at++ {
		switch c := p.raw[p.at]; {
		case c == '"':
			p.at++
			return p.raw[start : p.at-1], true
		case c < ' ' || c > '~' || c == '\\':
			return nil, false
		}
	}
	return nil, false
}

// members reads an object: member is called behind each name, and reads its value.
func (p *plain) members(member func(name []byte) bool) bool {
	if !p.token('{') {
		return false
	}
	if p.token('}') {
		return true
	}
	for {
		name, ok := p.text()
		if p.keys++; !ok || p.keys > maxKeys || !p.token(':') || !member(name) {
			return false
		}
		if !p.token(',') {
			return p.token('}')
		}
	}
}

func (p *plain) uuid(id *uuid.UUID) bool {
	text, ok := p.text()
	if !ok || len(text) != 36 {
		return false
	}
	parsed, err := uuid.ParseBytes(text)
	*id = parsed
	return err == nil && parsed != uuid.Nil
}

func (p *plain) id(id *string) bool {
	text, ok := p.text()
	*id = string(text)
	return ok && ValidID(*id)
}

// value reads one value into v, which is of the shape's type or a pointer to it.
func (p *plain) value(s *Shape, v reflect.Value) bool {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch s.Kind {
	case KindObject:
		return p.object(s, v)
	case KindList:
		return p.list(s, v)
	case KindInteger:
		return p.integer(v)
	case KindBool:
		return p.bool(v)
	case KindString, KindMoney, KindTime:
		text, ok := p.text()
		return ok && scalar(s.Kind, string(text), v)
	}
	return false // any value
}

func scalar(k Kind, text string, v reflect.Value) bool {
	switch k {
	case KindMoney:
		amount, err := ParseMoney(text)
		v.SetInt(int64(amount))
		return err == nil
	case KindTime:
		at, err := parseTime(text)
		v.Set(reflect.ValueOf(at))
		return err == nil
	}
	v.SetString(text)
	return true
}

func (p *plain) object(s *Shape, v reflect.Value) bool {
	if len(s.Members) > 64 {
		return false
	}
	var seen uint64
	next := 0 // members come in the contract's order, mostly
	ok := p.members(func(name []byte) bool {
		var m *Member
		if next < len(s.Members) && s.Members[next].Name == string(name) {
			m = &s.Members[next]
		} else if m = s.byName[string(name)]; m == nil {
			return false
		}
		next = m.place + 1
		bit := uint64(1) << m.place
		if seen&bit != 0 {
			return false
		}
		seen |= bit
		return p.value(m.Shape, v.Field(m.index))
	})
	if !ok {
		return false
	}
	for i := range s.Members {
		if !s.Members[i].Optional && seen&(1<<i) == 0 {
			return false
		}
	}
	return true
}

func (p *plain) list(s *Shape, v reflect.Value) bool {
	if !p.token('[') {
		return false
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 1))
	if p.token(']') {
		return true
	}
	for i := 0; ; i++ {
		v.Grow(1)
		v.SetLen(i + 1)
		if !p.value(s.Element, v.Index(i)) {
			return false
		}
		if !p.token(',') {
			return p.token(']')
		}
	}
}

// integer reads an integer up to 2^53.
func (p *plain) integer(v reflect.Value) bool {
	p.skip()
	start := p.at
	for p.at < len(p.raw) && (p.raw[p.at] == '-' || '0' <= p.raw[p.at] && p.raw[p.at] <= '9') {
		p.at++
	}
	text := p.raw[start:p.at]
	unsigned := bytes.TrimPrefix(text, []byte("-"))
	if len(unsigned) == 0 || len(unsigned) > 15 || unsigned[0] == '0' && len(unsigned) > 1 {
		return false
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	v.SetInt(n)
	return err == nil
}

func (p *plain) bool(v reflect.Value) bool {
	p.skip()
	for _, word := range []string{"true", "false"} {
		if bytes.HasPrefix(p.raw[p.at:], []byte(word)) {
			p.at += len(word)
			v.SetBool(word == "true")
			return true
		}
	}
	return false
}
