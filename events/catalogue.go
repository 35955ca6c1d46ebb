package events

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Definition is a contract with the Go type of its data.
type Definition struct {
	Contract Contract
	Shape    *Shape // of its data
	read     func(r *reader) (Payload, error)
	plain    func(p *plain) (Payload, bool)

	examples [][]byte                             // of another module's contract
	upcast   func(older Payload) (Payload, error) // from the major version before; nil if this is the first
	next     *Definition                          // the major version after it, in the same catalogue
}

// Define makes a definition from a payload type.
func Define[T Payload](from ...Upcast[T]) Definition {
	var sample T
	shape := cachedShape(reflect.TypeFor[T]())
	return Definition{
		Contract: sample.Contract(),
		Shape:    shape,
		read: func(r *reader) (Payload, error) {
			var data T
			err := r.value(shape, "", reflect.ValueOf(&data).Elem())
			return data, err
		},
		plain: func(p *plain) (Payload, bool) {
			var data T
			ok := p.value(shape, reflect.ValueOf(&data).Elem())
			return data, ok
		},
		upcast: upcastOf(from),
	}
}

// Field describes one field of a contract's data, for people and documents.
type Field struct {
	Path       string      `json:"path"` // as in items.*.quantity
	Kind       string      `json:"type"`
	Rule       Rule        `json:"rule,omitzero"`
	Vocabulary []string    `json:"vocabulary,omitzero"` // what publishers send; consumers accept other words
	Optional   bool        `json:"optional,omitzero"`
	Personal   bool        `json:"personal,omitzero"` // personal data: never logged, masked for operators
	Subject    bool        `json:"subject,omitzero"`  // names the person whose personal data the event holds
	Doc        string      `json:"doc,omitzero"`
	Deprecated Deprecation `json:"deprecated,omitzero"`
}

// Fields lists the data's fields in the contract's order.
func (d *Definition) Fields() (all []Field) {
	d.Shape.Walk(func(path string, m *Member) {
		all = append(all, Field{
			Path: strings.ReplaceAll(path, "/", "."), Kind: m.Kind.String(), Rule: m.Rule, Vocabulary: m.Vocabulary, Optional: m.Optional, Personal: m.Personal, Subject: m.Subject, Doc: m.Doc, Deprecated: m.Deprecated,
		})
	})
	return all
}

// Catalogue is a set of contracts. It never changes; With makes a larger one.
type Catalogue struct {
	all     []*Definition
	byType  map[string][]*Definition // its major versions, oldest first
	byTopic map[string]*Definition
}

// NewCatalogue makes a catalogue. Two contracts of one type, or a contract that is no well-formed one, are an error.
func NewCatalogue(definitions ...Definition) (*Catalogue, error) {
	c := &Catalogue{byType: map[string][]*Definition{}, byTopic: map[string]*Definition{}}
	for _, d := range definitions {
		if err := checkContract(d); err != nil {
			return nil, err
		}
		if err := c.addMajor(&d); err != nil {
			return nil, err
		}
		c.byTopic[d.Contract.Topic()] = &d
		c.all = append(c.all, &d)
	}
	if err := c.checkExamples(); err != nil {
		return nil, err
	}
	return c, nil
}

// checkExamples finds an example that is none: every document shows it.
func (c *Catalogue) checkExamples() error {
	for _, d := range c.all {
		for _, raw := range d.examples {
			switch decoded, err := c.CheckPublish(raw); {
			case err != nil:
				return fmt.Errorf("contract %s: an example of version %s: %w", d.Contract.Type, d.Contract.Version, err)
			case decoded.Definition != d:
				return fmt.Errorf("contract %s: an example of version %s is a %s of %s", d.Contract.Type, d.Contract.Version, decoded.Envelope.EventType, decoded.Envelope.EventVersion)
			}
		}
	}
	return nil
}

func checkContract(d Definition) error {
	k := d.Contract
	if domain, action, ok := strings.Cut(k.Type, "."); !ok || domain == "" || action == "" {
		return fmt.Errorf("contract %q: Type must be domain.action", k.Type)
	}
	if !versionForm.MatchString(k.Version) {
		return fmt.Errorf("contract %s: Version must be MAJOR.MINOR, is %q", k.Type, k.Version)
	}
	if !serviceForm.MatchString(k.Publisher) {
		return fmt.Errorf("contract %s: Publisher must be a kebab-case source_service, is %q", k.Type, k.Publisher)
	}
	if !k.Deprecated.valid() {
		return fmt.Errorf("contract %s: Deprecated needs Since (MAJOR.MINOR), Sunset (YYYY-MM-DD) and Use", k.Type)
	}
	if d.Personal() && d.Shape.subject < 0 {
		return fmt.Errorf("contract %s: it holds personal data, so mark the string field that names whose it is with class:\"subject\"; erasing goes by it", k.Type)
	}
	for name := range strings.SplitSeq(k.Key, "|") {
		if f := d.Shape.byName[name]; f == nil || f.Kind != KindString {
			return fmt.Errorf("contract %s: Key %q must name a string field of its data", k.Type, name)
		}
	}
	if err := d.Shape.check(); err != nil {
		return fmt.Errorf("contract %s: %w", k.Type, err)
	}
	return nil
}

// With makes a catalogue that also holds the given contracts: how another module adds its own.
func (c *Catalogue) With(definitions ...Definition) (*Catalogue, error) {
	all := make([]Definition, 0, len(c.all)+len(definitions))
	for _, d := range c.all {
		all = append(all, *d)
	}
	return NewCatalogue(append(all, definitions...)...)
}

// Lookup finds a contract by event type; of several major versions, the newest.
func (c *Catalogue) Lookup(eventType string) (*Definition, bool) {
	majors := c.byType[eventType]
	if len(majors) == 0 {
		return nil, false
	}
	return majors[len(majors)-1], true
}

// Majors are the major versions of an event type, oldest first.
func (c *Catalogue) Majors(eventType string) []*Definition { return slices.Clone(c.byType[eventType]) }

// Major finds one major version of an event type.
func (c *Catalogue) Major(eventType, major string) (*Definition, bool) {
	for _, d := range c.byType[eventType] {
		if d.Contract.Major() == major {
			return d, true
		}
	}
	return nil, false
}

// ByTopic finds a contract by topic.
func (c *Catalogue) ByTopic(topic string) (*Definition, bool) {
	d, ok := c.byTopic[topic]
	return d, ok
}

// All lists the contracts in the order in which they were given.
func (c *Catalogue) All() []*Definition { return slices.Clone(c.all) }
