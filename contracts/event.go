package contracts

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/events"
)

// Event is the schema of one contract's events, as a consumer accepts them: both dialects, open vocabularies, unknown fields.
func Event(d *events.Definition) *Schema {
	defs := &definitions{}
	s := event(d, defs)
	s.Defs = defs.all
	return s
}

// event leaves what its fields share to the caller's definitions.
func event(d *events.Definition, defs *definitions) *Schema {
	k := d.Contract
	s := envelope(defs)
	s.ID = "urn:viscount:contract:" + k.Type + ":v" + k.Major()
	s.Title, s.Description, s.Deprecated, s.Contract, s.Beyond = k.Type, k.Purpose, k.Deprecated.Deprecated(), NotesOf(k), nil
	s.Contract.Upcasts = d.Upcasts()
	version := &Schema{Type: Types{"string"}, Description: "MAJOR.MINOR; a consumer accepts every minor version of its major.", Pattern: events.MajorPattern(k.Major())}
	s.set("source_service", &Schema{Description: s.Properties.Get("source_service").Description, Const: k.Publisher})
	s.set("event_version", version)
	s.set("version", &Schema{Type: version.Type, Deprecated: true, Description: oldVersion, Pattern: version.Pattern})
	s.set("event_type", eventType(k.Type, s.Properties.Get("event_type").Description))
	data := defs.object(d.Shape)
	data.Description = "What the event says; unknown fields are kept."
	s.set("data", data)
	for _, raw := range d.Examples() {
		s.Examples = append(s.Examples, jsontext.Value(raw))
	}
	return s
}

// Envelope is the schema of every event, whatever its type.
func Envelope() *Schema {
	defs := &definitions{}
	s := envelope(defs)
	s.ID, s.Title = "urn:viscount:contract:envelope", "envelope"
	s.Description = "What every event carries around its data. Unknown fields are kept."
	s.Beyond = beyondSchema()
	s.Defs = defs.all
	return s
}

const oldVersion = "The old dialect's name of event_version."

func envelope(defs *definitions) *Schema {
	version := &Schema{Type: Types{"string"}, Pattern: events.VersionPattern}
	s := &Schema{
		Schema: dialect, Type: Types{"object"},
		Properties: Ordered{
			{"event_id", &Schema{Type: Types{"string"}, Format: "uuid", Pattern: events.UUIDPattern, Not: &Schema{Const: "00000000-0000-0000-0000-000000000000"}}},
			{"correlation_id", defs.ref("id")},
			{"timestamp", defs.ref("timestamp")},
			{"source_service", &Schema{Type: Types{"string"}, Pattern: events.ServicePattern}},
			{"event_version", version},
			{"version", &Schema{Type: version.Type, Deprecated: true, Description: oldVersion, Pattern: version.Pattern}},
			{"event_type", &Schema{Type: Types{"string"}, MinLength: 1}},
			{"data", &Schema{Type: Types{"object"}}},
		},
		Required: []string{"event_id", "correlation_id", "timestamp", "source_service", "event_type", "data"},
		If:       &Schema{Not: &Schema{Required: []string{"version"}}},
		Then:     &Schema{Required: []string{"event_version"}},
	}
	for _, f := range events.EnvelopeFields() {
		s.Properties.Get(f.Path).Description = f.Doc
	}
	return s
}

func eventType(name, doc string) *Schema {
	if old := events.LegacyName(name); old != "" {
		return &Schema{Description: doc + " " + old + " is the old dialect's name.", Enum: []string{name, old}}
	}
	return &Schema{Description: doc, Const: name}
}

func (s *Schema) set(name string, value *Schema) {
	for i := range s.Properties {
		if s.Properties[i].Name == name {
			s.Properties[i].Value = value
		}
	}
}

// names are those of Go types in one document. Of two types with one name, as in two major versions of an event, the later
// gets a number.
type names map[string]reflect.Type

func (n *names) of(name string, t reflect.Type) (own string, fresh bool) {
	if *n == nil {
		*n = names{}
	}
	own = name
	for i := 2; ; i++ {
		switch (*n)[own] {
		case nil:
			(*n)[own] = t
			return own, true
		case t:
			return own, false
		}
		own = name + strconv.Itoa(i)
	}
}

// definitions are what a document's fields share, in the order in which they come.
type definitions struct {
	all    Ordered
	types  names
	prefix string // of a reference; "#/$defs/" if empty
	suffix string // of a named object's name
	closed bool   // a word that is in no vocabulary is refused
}

func (d *definitions) ref(name string) *Schema {
	if d.all.Get(name) == nil {
		d.all = append(d.all, Property{name, common(name)})
	}
	return d.to(name)
}

func (d *definitions) to(name string) *Schema {
	if d.prefix != "" {
		return &Schema{Ref: d.prefix + name}
	}
	return &Schema{Ref: "#/$defs/" + name}
}

// common are the strings and numbers that all contracts know.
func common(name string) *Schema {
	text := Types{"string"}
	switch name {
	case "id":
		return &Schema{Type: text, Description: "1–128 printable characters.", MinLength: 1, MaxLength: events.MaxID, Pattern: events.IDPattern()}
	case "optional_id":
		return &Schema{Type: text, Description: "Up to 128 printable characters.", MaxLength: events.MaxID, Pattern: events.IDPattern()}
	case "timestamp":
		return &Schema{Type: text, Description: "ISO 8601 in UTC, written Z or +00:00.", Format: "date-time", Pattern: events.TimePattern}
	case "money":
		return &Schema{Type: text, Description: "A decimal string without sign or exponent, at most two decimals.", Pattern: events.MoneyPattern}
	case "currency":
		return &Schema{Type: text, Description: "ISO 4217.", Pattern: events.CurrencyPattern}
	case "optional_currency":
		return &Schema{Type: text, Description: "ISO 4217.", Pattern: "^(" + strings.Trim(events.CurrencyPattern, "^$") + ")?$"}
	case "text":
		return &Schema{Type: text, MinLength: 1}
	}
	panic("contracts: no definition is named " + name)
}

func whole(least int64) *Schema {
	most := int64(events.MaxInteger)
	return &Schema{Type: Types{"integer"}, Minimum: &least, Maximum: &most}
}

// object is the schema of an object; nested ones are shared by their Go names.
func (d *definitions) object(s *events.Shape) *Schema {
	o := &Schema{Type: Types{"object"}}
	for i := range s.Members {
		m := &s.Members[i]
		o.Properties = append(o.Properties, Property{m.Name, d.member(m)})
		if !m.Optional {
			o.Required = append(o.Required, m.Name)
		}
	}
	return o
}

func (d *definitions) named(s *events.Shape) *Schema {
	name := s.Name
	if d.suffix != "" {
		name = title(strings.TrimSuffix(name, "Body")) + d.suffix
	}
	name, fresh := d.types.of(name, s.Type)
	if fresh {
		d.all = append(d.all, Property{name, &Schema{}}) // its place, before those that it needs
		object := d.object(s)
		*d.all.Get(name) = *object
	}
	return d.to(name)
}

func (d *definitions) member(m *events.Member) *Schema {
	s := d.value(m)
	switch {
	case !m.Optional:
	case len(s.Type) > 0:
		s.Type = append(slices.Clone(s.Type), "null")
	case s.Ref != "":
		s = &Schema{AnyOf: []Schema{*s, {Type: Types{"null"}}}}
	}
	if d.closed {
		s = d.only(s, m)
	}
	s.Description, s.Vocabulary, s.Deprecated, s.Deprecation = m.Doc, m.Vocabulary, m.Deprecated.Deprecated(), deprecationOf(m.Deprecated)
	s.Class = m.Class()
	return s
}

// only lets a vocabulary's words through; an optional field may also be empty.
func (d *definitions) only(s *Schema, m *events.Member) *Schema {
	switch {
	case len(m.Vocabulary) == 0:
		return s
	case m.Optional:
		return &Schema{AnyOf: []Schema{{Type: Types{"string"}, Enum: append(slices.Clone(m.Vocabulary), "")}, {Type: Types{"null"}}}}
	}
	return &Schema{Type: Types{"string"}, Enum: slices.Clone(m.Vocabulary)}
}

func (d *definitions) value(m *events.Member) *Schema {
	switch m.Kind {
	case events.KindString:
		return d.text(m)
	case events.KindInteger:
		switch m.Rule {
		case events.RulePositive:
			return whole(1)
		case events.RuleNotNegative:
			return whole(0)
		}
		return whole(-events.MaxInteger)
	case events.KindBool:
		return &Schema{Type: Types{"boolean"}}
	case events.KindMoney:
		return d.ref("money")
	case events.KindTime:
		return d.ref("timestamp")
	case events.KindObject:
		return d.named(m.Shape)
	case events.KindList:
		list := &Schema{Type: Types{"array"}, Items: d.element(m.Element)}
		if m.Rule == events.RuleNotEmpty {
			list.MinItems = 1
		}
		return list
	}
	if m.Rule == events.RuleObject {
		return &Schema{Type: Types{"object"}}
	}
	return &Schema{}
}

// text is a string; an optional one may also be empty.
func (d *definitions) text(m *events.Member) *Schema {
	switch {
	case (m.Rule == events.RuleID || m.Rule == events.RuleCurrency) && m.Optional:
		return d.ref("optional_" + string(m.Rule))
	case m.Rule == events.RuleID || m.Rule == events.RuleCurrency:
		return d.ref(string(m.Rule))
	case (m.Rule == events.RuleText || len(m.Vocabulary) > 0) && !m.Optional:
		return d.ref("text")
	}
	return &Schema{Type: Types{"string"}}
}

func (d *definitions) element(s *events.Shape) *Schema { return d.value(&events.Member{Shape: s}) }
