package contracts

import (
	"reflect"
	"slices"
	"strings"

	"github.com/first-viscount/viscount/events"
)

// object compares the members of two objects.
func (d *differ) object(path string, from, to *Schema) {
	if from == nil || to == nil {
		return
	}
	for _, p := range from.Properties {
		at := below(path, p.Name)
		was, is := p.Value, to.Properties.Get(p.Name)
		if is == nil {
			d.fieldRemoved(at, was, from, to)
			continue
		}
		if d.presence(at, slices.Contains(from.Required, p.Name), slices.Contains(to.Required, p.Name)) {
			d.field(at, was, is)
		}
	}
	for _, p := range to.Properties {
		if from.Properties.Get(p.Name) != nil {
			continue
		}
		if slices.Contains(to.Required, p.Name) {
			d.breaks(below(path, p.Name), RuleRequired, "make it optional (omitzero), or "+d.instead, "added as a required field; recorded events and older publishers do not have it")
		} else {
			d.fine(below(path, p.Name), RuleFieldAdded, "added, optional")
		}
	}
}

// below is the path of a member; the envelope's own stand at the top.
func below(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// fieldRemoved also finds out whether the field has only another name now.
func (d *differ) fieldRemoved(path string, was, from, to *Schema) {
	for _, p := range to.Properties {
		if from.Properties.Get(p.Name) == nil && same(resolve(d.from, was), resolve(d.to, p.Value)) {
			d.breaks(path, RuleFieldRemoved, "keep it, marked as deprecated with use="+p.Name+", beside the new one; or "+d.instead, "removed, or renamed to %s", p.Name)
			return
		}
	}
	d.breaks(path, RuleFieldRemoved, "keep it, marked as deprecated; or "+d.instead, "removed")
}

func (d *differ) presence(path string, was, is bool) (same bool) {
	switch {
	case is && !was:
		d.breaks(path, RuleRequired, "leave it optional, or "+d.instead, "made required; recorded events and older publishers may lack it")
	case was && !is:
		d.breaks(path, RuleOptional, "go on sending it, or "+d.instead, "made optional; consumers rely on it")
	}
	return was == is
}

func (d *differ) field(path string, from, to *Schema) {
	d.annotations(path, from, to)
	was, is := resolve(d.from, from), resolve(d.to, to)
	switch {
	case !slices.Equal(was.Type, is.Type):
		d.breaks(path, RuleType, "add a field of the new type beside it, or "+d.instead, "is %s, was %s", typeName(is), typeName(was))
	case was.Items != nil && is.Items != nil:
		if was.MinItems != is.MinItems {
			d.breaks(path, RuleValues, d.instead, "at least %d elements, were %d", is.MinItems, was.MinItems)
		}
		d.field(path+"/*", was.Items, is.Items)
	case len(was.Properties) > 0 || len(is.Properties) > 0:
		d.object(path, was, is)
	case !same(was, is):
		d.breaks(path, RuleValues, "leave its values as they were, or "+d.instead, "takes other values; one side would refuse what the other sends")
	}
}

func (d *differ) annotations(path string, from, to *Schema) {
	narrowed := missingFrom(from.Vocabulary, to.Vocabulary)
	switch {
	case len(from.Vocabulary) == 0 && len(to.Vocabulary) > 0:
		d.breaks(path, RuleVocabulary, d.instead, "only %s may be sent, any text could", strings.Join(to.Vocabulary, ", "))
	case len(narrowed) > 0 && len(to.Vocabulary) > 0:
		d.breaks(path, RuleVocabulary, "keep the words, or "+d.instead, "%s may no longer be sent", strings.Join(narrowed, ", "))
	}
	if wider := missingFrom(to.Vocabulary, from.Vocabulary); len(wider) > 0 && len(from.Vocabulary) > 0 {
		d.fine(path, RuleVocabulary, "%s may also be sent; consumers accept words that they do not know", strings.Join(wider, ", "))
	}
	switch {
	case from.Class == to.Class:
	case from.Class == events.ClassPersonal:
		d.breaks(path, RulePersonal, `keep class:"personal"; recorded events hold personal data`, "no longer marked as personal data")
	case from.Class == events.ClassSubject:
		d.breaks(path, RulePersonal, `keep class:"subject"; a person's recorded events are found and erased by it`, "no longer marked as the person whose data the event holds")
	case to.Class == events.ClassSubject:
		d.fine(path, RulePersonal, "marked as the person whose data the event holds")
	default:
		d.fine(path, RulePersonal, "marked as %s data", to.Class)
	}
	d.deprecated(path, from.Deprecation, to.Deprecation)
	if from.Description != to.Description {
		d.fine(path, RuleWords, "described as %q, was %q", to.Description, from.Description)
	}
}

// walk visits every field below an object, as in data/items/*/quantity.
func walk(document, s *Schema, path string, visit func(path string, field *Schema)) {
	if s == nil {
		return
	}
	s = resolve(document, s)
	for _, p := range s.Properties {
		visit(path+"/"+p.Name, p.Value)
		walk(document, p.Value, path+"/"+p.Name, visit)
	}
	walk(document, s.Items, path+"/*", visit)
}

// resolve follows a reference, and an optional one's; null is added to its types.
func resolve(document, s *Schema) *Schema {
	if len(s.AnyOf) == 2 && len(s.AnyOf[1].Type) == 1 && s.AnyOf[1].Type[0] == "null" {
		return resolve(document, &s.AnyOf[0])
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		if to := document.Defs.Get(name); to != nil {
			return bare(to)
		}
	}
	return bare(s)
}

// bare leaves out what presence says already: null among the types, and what only describes.
func bare(s *Schema) *Schema {
	b := *s
	b.Type = slices.DeleteFunc(slices.Clone(s.Type), func(t string) bool { return t == "null" })
	b.Description, b.Vocabulary, b.Class, b.Deprecated, b.Deprecation = "", nil, "", false, nil
	return &b
}

// same compares what values two fields take; whether text may be empty belongs to its presence.
func same(a, b *Schema) bool { return reflect.DeepEqual(*a, *b) }

func typeName(s *Schema) string {
	if len(s.Type) == 0 {
		return "any value"
	}
	return strings.Join(s.Type, " or ")
}
