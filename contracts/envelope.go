package contracts

import (
	"reflect"
	"slices"
	"strings"
)

// envelope compares what every event carries around its data, under the rules of data.
func (d *differ) envelope(from, to *Schema) {
	switch {
	case from == nil:
		d.fine("", RuleAdded, "new: %s", to.Description)
		return
	case to == nil:
		d.breaks("", RuleRemoved, "write it again: make generate", "removed")
		return
	}
	d.from, d.to = from, to
	if from.Description != to.Description {
		d.fine("", RuleWords, "described as %q, was %q", to.Description, from.Description)
	}
	d.object("", from, to)
	if !reflect.DeepEqual(conditions(from), conditions(to)) {
		d.breaks("", RuleRequired, d.instead, "other members are required, depending on what an event holds")
	}
	d.beyond(from.Beyond, to.Beyond)
}

// conditions are what a schema asks beyond its members.
func conditions(s *Schema) *Schema {
	return &Schema{Type: s.Type, If: s.If, Then: s.Then, Else: s.Else, Not: s.Not, AnyOf: s.AnyOf, Additional: s.Additional}
}

// beyond compares the checks that no schema states: a new one refuses what was accepted.
func (d *differ) beyond(from, to []Beyond) {
	for _, check := range to {
		i := slices.IndexFunc(from, func(b Beyond) bool { return b.Code == check.Code })
		switch {
		case i < 0:
			d.breaks("", RuleValues, "leave events acceptable that were, or "+d.instead, "refuses with %s: %s", check.Code, check.What)
		case from[i].What != check.What:
			d.fine("", RuleWords, "%s: %q, was %q", check.Code, check.What, from[i].What)
		}
	}
	for _, check := range from {
		if !slices.ContainsFunc(to, func(b Beyond) bool { return b.Code == check.Code }) {
			d.fine("", RuleValues, "no longer refuses with %s: %s", check.Code, check.What)
		}
	}
}

// names compares the names under which an event comes: its own and, in the old dialect, another.
func (d *differ) names(from, to *Schema) {
	if from == nil || to == nil {
		return
	}
	was, is := append(slices.Clone(from.Enum), from.Const), append(slices.Clone(to.Enum), to.Const)
	if gone := missingFrom(was, append(is, "")); len(gone) > 0 {
		d.breaks("event_type", RuleValues, "go on accepting it: recorded events and older publishers use it", "%s is no longer accepted", strings.Join(gone, ", "))
	}
	if more := missingFrom(is, append(was, "")); len(more) > 0 {
		d.fine("event_type", RuleValues, "%s is also accepted", strings.Join(more, ", "))
	}
}
