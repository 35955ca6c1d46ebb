package contracts

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/first-viscount/viscount/events"
)

const (
	pythonFolder = "python/src/viscount_contracts"
	pythonHead   = "# Generated from the Go contracts by `make generate`; change those instead.\n\n"
)

// Python are the parts of the Python package that derive from the contracts: the rules' patterns, and a Pydantic model of
// each event. The rest of the package is written by hand, beside them.
func Python(c *events.Catalogue) ([]File, error) {
	return []File{
		{pythonFolder + "/rules.py", []byte(pythonRules())},
		{pythonFolder + "/contracts.py", []byte(pythonModels(c))},
	}, nil
}

func pythonRules() string {
	var b strings.Builder
	b.WriteString(pythonHead + "\"\"\"Limits and patterns of values. Patterns match a whole text.\"\"\"\n\n")
	fmt.Fprintf(&b, "MAX_ID = %d\nMAX_INTEGER = %d\n", events.MaxID, events.MaxInteger)
	for _, p := range [][2]string{
		{"ID", events.IDPattern()}, {"MONEY", events.MoneyPattern}, {"CURRENCY", events.CurrencyPattern}, {"SERVICE", events.ServicePattern},
		{"VERSION", events.VersionPattern}, {"UUID", events.UUIDPattern}, {"TIME", events.TimePattern},
	} {
		fmt.Fprintf(&b, "%s_PATTERN = %s\n", p[0], strconv.QuoteToASCII(p[1]))
	}
	b.WriteString("\n# What the envelope's fields mean.\nENVELOPE = {\n")
	for _, f := range events.EnvelopeFields() {
		fmt.Fprintf(&b, "    %q: %s,\n", f.Path, strconv.QuoteToASCII(f.Doc))
	}
	return b.String() + "}\n"
}

// pythonModels writes a class per object and per event, each before it is used.
func pythonModels(c *events.Catalogue) string {
	w := &pythonWriter{}
	for _, d := range c.All() {
		w.class(d.Shape, d)
	}
	var b strings.Builder
	b.WriteString(pythonHead + "\"\"\"The data of every event.\"\"\"\n\nfrom __future__ import annotations\n\nfrom typing import Annotated, Any, ClassVar\n\nfrom pydantic import Field\n\n")
	b.WriteString("from .event import Contract, Data, Model\n")
	b.WriteString("from .values import Currency, Flag, Id, Integer, Money, NotNegative, OneOf, OptionalCurrency, OptionalId, Positive, RequiredText, Text, Time\n\n__all__ = [\n")
	for _, name := range w.order {
		fmt.Fprintf(&b, "    %q,\n", name)
	}
	b.WriteString("]\n\n\n" + strings.Join(w.classes, "\n\n"))
	b.WriteString("\n\n# Every major version of an event, oldest first.\nMAJORS: dict[str, tuple[type[Data], ...]] = {\n")
	for _, d := range c.All() {
		majors := c.Majors(d.Contract.Type)
		if majors[0] != d {
			continue // in its type's row
		}
		var classes []string
		for _, major := range majors {
			classes = append(classes, w.name(major.Shape))
		}
		fmt.Fprintf(&b, "    %q: (%s,),\n", d.Contract.Type, strings.Join(classes, ", "))
	}
	b.WriteString("}\n\n# The newest of each.\nCONTRACTS: dict[str, type[Data]] = {name: majors[-1] for name, majors in MAJORS.items()}\n")
	return b.String()
}

type pythonWriter struct {
	classes, order []string
	names          names
}

// name is the class of an object.
func (w *pythonWriter) name(s *events.Shape) string {
	name, _ := w.names.of(title(s.Name), s.Type)
	return name
}

// class writes an object's class after those of the objects in it. d is the event whose data it is, nil for none.
func (w *pythonWriter) class(s *events.Shape, d *events.Definition) {
	name, fresh := w.names.of(title(s.Name), s.Type)
	if !fresh {
		return
	}
	for i := range s.Members {
		m := s.Members[i].Shape
		if m.Kind == events.KindList {
			m = m.Element
		}
		if m.Kind == events.KindObject {
			w.class(m, nil)
		}
	}
	var b strings.Builder
	if d == nil {
		fmt.Fprintf(&b, "class %s(Model):\n", name)
	} else {
		fmt.Fprintf(&b, "class %s(Data):\n    %s\n\n    CONTRACT: ClassVar[Contract] = %s\n\n", name, pythonDoc(d.Contract), pythonContract(d.Contract))
	}
	for i := range s.Members {
		fmt.Fprintf(&b, "    %s\n", w.field(&s.Members[i]))
	}
	w.classes, w.order = append(w.classes, b.String()), append(w.order, name)
}

func pythonDoc(k events.Contract) string {
	return `"""` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(k.Purpose+" "+k.When) + `"""`
}

func pythonContract(k events.Contract) string {
	n := NotesOf(k)
	var b strings.Builder
	fmt.Fprintf(&b, "Contract(\n        type=%q, version=%q, topic=%q, key=%s,\n        publisher=%q, consumers=%s,\n", n.Type, n.Version, n.Topic, pythonTuple(n.Key), n.Publisher, pythonTuple(n.Consumers))
	if len(n.Follows) > 0 {
		fmt.Fprintf(&b, "        follows=%s,\n", pythonTuple(n.Follows))
	}
	if k.Retention != events.Unlimited {
		fmt.Fprintf(&b, "        retention_days=%d,\n", k.Retention/events.Day)
	}
	if old := events.LegacyName(n.Type); old != "" {
		fmt.Fprintf(&b, "        legacy=%q,\n", old)
	}
	return b.String() + "    )"
}

func pythonTuple(words []string) string {
	var b strings.Builder
	for _, word := range words {
		fmt.Fprintf(&b, "%q, ", word)
	}
	if len(words) == 1 {
		return "(" + strings.TrimSuffix(b.String(), " ") + ")"
	}
	return "(" + strings.TrimSuffix(b.String(), ", ") + ")"
}

// field is a field with its rules; what a reader should know besides stands in its Field.
func (w *pythonWriter) field(m *events.Member) string {
	text, notes := m.Name+": "+w.typeOf(m), []string{}
	if m.Optional {
		text += " | None"
	}
	if m.Doc != "" {
		notes = append(notes, "description="+strconv.Quote(m.Doc))
	}
	if d := m.Deprecated; d.Deprecated() {
		notes = append(notes, "deprecated="+strconv.Quote("since "+d.Since+", goes after "+d.Sunset+"; use "+d.Use))
	}
	if class := m.Class(); class != "" {
		notes = append(notes, `json_schema_extra={"x-classification": "`+class+`"}`)
	}
	switch {
	case len(notes) == 0 && m.Optional:
		return text + " = None"
	case len(notes) == 0:
		return text
	case m.Optional:
		notes = append([]string{"default=None"}, notes...)
	}
	return text + " = Field(" + strings.Join(notes, ", ") + ")"
}

func (w *pythonWriter) typeOf(m *events.Member) string {
	switch m.Kind {
	case events.KindString:
		return pythonText(m)
	case events.KindInteger:
		switch m.Rule {
		case events.RulePositive:
			return "Positive"
		case events.RuleNotNegative:
			return "NotNegative"
		}
		return "Integer"
	case events.KindBool:
		return "Flag"
	case events.KindMoney:
		return "Money"
	case events.KindTime:
		return "Time"
	case events.KindObject:
		return w.name(m.Shape)
	case events.KindList:
		list := "list[" + w.typeOf(&events.Member{Shape: m.Element}) + "]"
		if m.Rule == events.RuleNotEmpty {
			return "Annotated[" + list + ", Field(min_length=1)]"
		}
		return list
	}
	if m.Rule == events.RuleObject {
		return "dict[str, Any]"
	}
	return "Any"
}

// pythonText is a string; an optional one may also be empty.
func pythonText(m *events.Member) string {
	name := "Text"
	switch {
	case m.Rule == events.RuleID:
		name = "Id"
	case m.Rule == events.RuleCurrency:
		name = "Currency"
	case m.Rule == events.RuleText || len(m.Vocabulary) > 0:
		name = "RequiredText"
	}
	if m.Optional {
		name = map[string]string{"Id": "OptionalId", "Currency": "OptionalCurrency", "RequiredText": "Text", "Text": "Text"}[name]
	}
	if len(m.Vocabulary) == 0 {
		return name
	}
	words := make([]string, len(m.Vocabulary))
	for i, word := range m.Vocabulary {
		words[i] = strconv.Quote(word)
	}
	return "Annotated[" + name + ", OneOf(" + strings.Join(words, ", ") + ")]"
}
