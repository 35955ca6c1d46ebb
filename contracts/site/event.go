package site

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
)

// event is a contract as its page shows it.
type event struct {
	*contracts.Notes
	Purpose  string
	Service  string   // the publisher without -service
	Keys     string   // "order_id, else reservation_id"
	Before   []string // events that follow this one
	Fields   []field
	Examples []example
	Changes  []release
	Legacy   string // its name in the old dialect
	Major    string
	Page     string    // its file without .html: its type; of an earlier major version, with that
	Label    string    // its type, and the major version where there are several
	Versions []version // the major versions, newest first; none where there is one
}

// Older tells whether a newer major version is there.
func (e *event) Older() bool { return e.Page != e.Type }

// version is a major version of an event, with its page.
type version struct {
	*contracts.Notes
	Page string
}

type field struct {
	Path, Kind, Doc string
	Notes           []string
	Words           []string // a vocabulary
	Deprecated      string
}

type example struct{ Title, Text string }

// Notes on a field.
const (
	noteOptional = "optional"
	noteKey      = "key"
	notePersonal = "personal data"
	noteSubject  = "whose data it is"
)

func describe(c *events.Catalogue) (all []*event, err error) {
	for _, d := range c.All() {
		notes := contracts.NotesOf(d.Contract)
		e := &event{
			Notes: notes, Purpose: d.Contract.Purpose, Service: strings.TrimSuffix(notes.Publisher, "-service"),
			Keys: strings.Join(notes.Key, ", else "), Fields: fieldsOf(d), Legacy: events.LegacyName(notes.Type), Major: d.Contract.Major(),
			Page: pageOf(c, d), Label: notes.Type,
		}
		if majors := c.Majors(notes.Type); len(majors) > 1 {
			e.Label += " v" + e.Major
			for _, major := range slices.Backward(majors) {
				e.Versions = append(e.Versions, version{contracts.NotesOf(major.Contract), pageOf(c, major)})
			}
		}
		if e.Examples, err = examplesOf(c, d); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	for _, e := range all {
		for _, other := range all {
			if slices.Contains(other.Follows, e.Type) && !slices.Contains(e.Before, other.Type) {
				e.Before = append(e.Before, other.Type)
			}
		}
	}
	return all, nil
}

// pageOf is where links to the type lead for the newest major version; each earlier one has a page of its own.
func pageOf(c *events.Catalogue, d *events.Definition) string {
	if newest, _ := c.Lookup(d.Contract.Type); newest == d {
		return d.Contract.Type
	}
	return d.Contract.Type + ".v" + d.Contract.Major()
}

func fieldsOf(d *events.Definition) (all []field) {
	keys := strings.Split(d.Contract.Key, "|")
	d.Shape.Walk(func(path string, m *events.Member) {
		f := field{Path: strings.NewReplacer("/*/", "[].", "/", ".").Replace(path), Kind: kindOf(m), Doc: m.Doc, Words: m.Vocabulary}
		if slices.Contains(keys, path) {
			f.Notes = append(f.Notes, noteKey)
		}
		if m.Optional {
			f.Notes = append(f.Notes, noteOptional)
		}
		if m.Personal {
			f.Notes = append(f.Notes, notePersonal)
		}
		if m.Subject {
			f.Notes = append(f.Notes, noteSubject)
		}
		f.Deprecated = m.Deprecated.String()
		all = append(all, f)
	})
	return all
}

// kindOf is a field's type with its rule, in words.
func kindOf(m *events.Member) string {
	switch m.Kind {
	case events.KindString:
		return map[events.Rule]string{events.RuleID: "identifier", events.RuleCurrency: "currency code", events.RuleText: "text"}[m.Rule] + map[bool]string{true: "text"}[m.Rule == ""]
	case events.KindInteger:
		return "integer" + map[events.Rule]string{events.RulePositive: " ≥ 1", events.RuleNotNegative: " ≥ 0"}[m.Rule]
	case events.KindBool:
		return "true or false"
	case events.KindMoney:
		return "money"
	case events.KindTime:
		return "time"
	case events.KindObject:
		return "object"
	case events.KindList:
		return "list"
	}
	if m.Rule == events.RuleObject {
		return "any object"
	}
	return "any value"
}

// examplesOf are the canonical form of each example and, where it came in the old dialect, that too.
func examplesOf(c *events.Catalogue, d *events.Definition) (all []example, err error) {
	for _, raw := range d.Examples() {
		decoded, err := c.Decode(raw)
		if err != nil {
			return nil, fmt.Errorf("the example of %s: %w", d.Contract.Topic(), err)
		}
		var canonical bytes.Buffer
		if err := json.Indent(&canonical, decoded.Raw, "", "  "); err != nil {
			return nil, err
		}
		all = append(all, example{"Example", canonical.String()})
		if decoded.Legacy {
			all = append(all, example{"In the old dialect, accepted and rewritten", strings.TrimSpace(string(raw))})
		}
	}
	return all, nil
}
