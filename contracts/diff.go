package contracts

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Change is one difference between two states of the contracts, and what the rules of evolution say about it.
type Change struct {
	Contract string `json:"contract"`        // type and major version: order.created.v1
	Path     string `json:"path,omitzero"`   // as in data/items/*/quantity
	What     string `json:"what"`            // in words
	Rule     string `json:"rule"`            // see Rules
	Breaking bool   `json:"breaking"`        // refused
	Remedy   string `json:"remedy,omitzero"` // of a refusal or a warning
}

// String is the change on one line.
func (c Change) String() string {
	text := c.Contract
	if c.Path != "" {
		text += " " + c.Path
	}
	text += ": " + c.What + " [" + c.Rule + "]"
	if c.Remedy != "" {
		text += "; " + c.Remedy
	}
	return text
}

// The rules, by name.
const (
	RuleAdded        = "contract_added"
	RuleRemoved      = "contract_removed"
	RuleFieldAdded   = "field_added"
	RuleFieldRemoved = "field_removed"
	RuleRequired     = "field_required"
	RuleOptional     = "field_optional"
	RuleType         = "field_type"
	RuleValues       = "field_values"
	RuleVocabulary   = "vocabulary"
	RuleTopic        = "topic"
	RuleKey          = "key"
	RulePublisher    = "publisher"
	RuleVersion      = "version"
	RuleConsumers    = "consumers"
	RuleFollows      = "follows"
	RuleRetention    = "retention"
	RulePersonal     = "classification"
	RuleDeprecated   = "deprecation"
	RuleMajor        = "major"
	RuleWords        = "words"
)

// The way that is open to what the rules refuse. The envelope has no major versions: all events change with it at once.
const (
	newMajor  = "publish it as the next major version, with an upcaster and a migration note, and keep this one"
	newMember = "add an optional member beside it and keep this one: every publisher and consumer reads the envelope, and it has no major versions"
)

// Set are contracts as schemas, by type and major version, and the envelope by its own name.
type Set map[string]*Schema

// Diff compares two states of the contracts, in the order of their names. What was to stay until a date may go when today is
// after it; without a day (the zero time) dates are not looked at.
func Diff(before, after Set, today time.Time) (all []Change) {
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		d := differ{contract: name, instead: newMajor}
		switch from, to := before[name], after[name]; {
		case name == envelopeName:
			d.instead = newMember
			d.envelope(from, to)
		case to == nil:
			d.removed(from, before, after, today)
		case from == nil:
			d.added(to, before)
		default:
			d.compare(from, to)
		}
		all = append(all, d.changes...)
	}
	return all
}

// Refused are the changes that the rules forbid.
func Refused(changes []Change) (refused []Change) {
	for _, c := range changes {
		if c.Breaking {
			refused = append(refused, c)
		}
	}
	return refused
}

type differ struct {
	contract string
	changes  []Change
	from, to *Schema // documents
	instead  string  // of a change that is refused
}

func (d *differ) fine(path, rule, format string, args ...any) {
	d.changes = append(d.changes, Change{Contract: d.contract, Path: path, Rule: rule, What: fmt.Sprintf(format, args...)})
}

func (d *differ) breaks(path, rule, remedy, format string, args ...any) {
	d.changes = append(d.changes, Change{Contract: d.contract, Path: path, Rule: rule, What: fmt.Sprintf(format, args...), Breaking: true, Remedy: remedy})
}

// removed: a major version may go when it was kept, marked as deprecated, beside the next one, and its sunset has passed.
func (d *differ) removed(from *Schema, before, after Set, today time.Time) {
	next, marked := nextMajor(d.contract), from.Contract.Deprecation
	switch {
	case marked == nil || after[next] == nil:
		d.breaks("", RuleRemoved, "keep it for one major version, marked as deprecated with since, sunset and use", "removed")
	case before[next] == nil:
		d.breaks("", RuleRemoved, "keep it beside "+next+" until its sunset, "+marked.Sunset, "removed when its next major version comes; nobody had the time to move")
	case !today.IsZero() && !marked.over(today):
		d.breaks("", RuleRemoved, "keep it until then", "removed before its sunset, %s", marked.Sunset)
	default:
		d.fine("", RuleRemoved, "removed; it was deprecated since %s, until %s, and %s is there", marked.Since, marked.Sunset, next)
	}
}

// added: a first version is fine; a later major needs its way from the one before.
func (d *differ) added(to *Schema, before Set) {
	previous := previousMajor(d.contract)
	if previous == "" {
		d.fine("", RuleAdded, "new: %s", to.Description)
		return
	}
	if _, known := before[previous]; !known {
		d.breaks("", RuleMajor, "begin with version 1.0", "a major version without the one before")
	}
	if !to.Contract.Upcasts {
		d.breaks("", RuleMajor, "define it with events.From, an upcaster from "+previous, "a new major version without an upcaster")
	}
	if to.Contract.Migration == "" {
		d.breaks("", RuleMajor, "say in Contract.Migration what consumers and publishers do, and until when", "a new major version without a migration note")
	}
	if len(d.changes) == 0 {
		d.fine("", RuleMajor, "new major version; %s", to.Contract.Migration)
	}
}

func (d *differ) compare(from, to *Schema) {
	d.from, d.to = from, to
	d.notes(from.Contract, to.Contract)
	if from.Description != to.Description {
		d.fine("", RuleWords, "purpose: %q, was %q", to.Description, from.Description)
	}
	d.names(from.Properties.Get("event_type"), to.Properties.Get("event_type"))
	d.object("data", from.Properties.Get("data"), to.Properties.Get("data"))
	if minor(to.Contract.Version) < minor(from.Contract.Version) {
		d.breaks("", RuleVersion, "count up", "version %s, was %s", to.Contract.Version, from.Contract.Version)
	} else if from.Contract.Version != to.Contract.Version {
		d.fine("", RuleVersion, "version %s, was %s", to.Contract.Version, from.Contract.Version)
	}
}

func (d *differ) notes(from, to *Notes) {
	for _, same := range []struct {
		rule, name string
		from, to   string
	}{
		{RuleTopic, "topic", from.Topic, to.Topic},
		{RuleKey, "key", strings.Join(from.Key, " or "), strings.Join(to.Key, " or ")},
		{RulePublisher, "publisher", from.Publisher, to.Publisher},
	} {
		if same.from != same.to {
			d.breaks("", same.rule, d.instead, "%s %s, was %s", same.name, same.to, same.from)
		}
	}
	for _, type_ := range missingFrom(from.Follows, to.Follows) {
		d.breaks("", RuleFollows, d.instead, "no longer follows %s: consumers rely on the order", type_)
	}
	for _, type_ := range missingFrom(to.Follows, from.Follows) {
		d.breaks("", RuleFollows, d.instead, "follows %s: consumers that hear both begin to wait", type_)
	}
	d.consumers(from, to)
	if days(to.Retention) < days(from.Retention) {
		d.breaks("", RuleRetention, "keep at least "+from.Retention+"; consumers rebuild from recorded events", "kept for %s, was %s", to.Retention, from.Retention)
	} else if to.Retention != from.Retention {
		d.fine("", RuleRetention, "kept for %s, was %s", to.Retention, from.Retention)
	}
	d.deprecated("", from.Deprecation, to.Deprecation)
	if from.When != to.When {
		d.fine("", RuleWords, "when published: %q, was %q", to.When, from.When)
	}
}

func (d *differ) consumers(from, to *Notes) {
	for _, name := range missingFrom(to.Consumers, from.Consumers) {
		d.fine("", RuleConsumers, "%s hears it", name)
	}
	for _, name := range missingFrom(from.Consumers, to.Consumers) {
		d.fine("", RuleConsumers, "%s no longer hears it", name)
	}
}

// Overdue are the fields and events that are still there after their sunset: worth a warning, for nobody breaks.
func Overdue(s Set, today time.Time) (overdue []Change) {
	for _, name := range slices.Sorted(maps.Keys(s)) {
		late := func(path, remedy string, d *Deprecation) {
			if d != nil && d.over(today) {
				overdue = append(overdue, Change{Contract: name, Path: path, Rule: RuleDeprecated, What: "still there after its sunset, " + d.Sunset, Remedy: remedy})
			}
		}
		if name == envelopeName {
			continue
		}
		late("", "remove it when nobody publishes or hears it any more; use "+useOf(s[name].Contract.Deprecation), s[name].Contract.Deprecation)
		walk(s[name], s[name].Properties.Get("data"), "data", func(path string, field *Schema) {
			late(path, "leave it out of the next major version; use "+useOf(field.Deprecation), field.Deprecation)
		})
	}
	return overdue
}

func useOf(d *Deprecation) string {
	if d == nil {
		return ""
	}
	return d.Use
}

// over tells whether the day of the sunset has passed.
func (d *Deprecation) over(today time.Time) bool { return d.Sunset < today.UTC().Format(time.DateOnly) }

func (d *differ) deprecated(path string, from, to *Deprecation) {
	switch {
	case from == nil && to != nil:
		d.fine(path, RuleDeprecated, "deprecated since %s, until %s; use %s", to.Since, to.Sunset, to.Use)
	case from != nil && to == nil:
		d.fine(path, RuleDeprecated, "no longer deprecated")
	case from != nil && to != nil && to.Sunset < from.Sunset:
		d.breaks(path, RuleDeprecated, "keep to the date that was announced", "sunset %s, was %s", to.Sunset, from.Sunset)
	}
}

// missingFrom are the words of a that b lacks.
func missingFrom(a, b []string) (missing []string) {
	for _, word := range a {
		if !slices.Contains(b, word) {
			missing = append(missing, word)
		}
	}
	return missing
}

// days orders retentions; unlimited is the longest.
func days(retention string) int {
	var n int
	if _, err := fmt.Sscanf(retention, "%d days", &n); err != nil {
		return 1 << 30
	}
	return n
}

func minor(version string) (n int) {
	_, text, _ := strings.Cut(version, ".")
	_, _ = fmt.Sscan(text, &n) // MAJOR.MINOR, as NewCatalogue asserts
	return n
}

// neighbour is the name of another major version of a contract, "" below 1.
func neighbour(name string, step int) string {
	at := strings.LastIndex(name, ".v")
	var n int
	if _, err := fmt.Sscan(name[at+2:], &n); err != nil || n+step < 1 {
		return ""
	}
	return fmt.Sprintf("%s.v%d", name[:at], n+step)
}

func nextMajor(name string) string     { return neighbour(name, 1) }
func previousMajor(name string) string { return neighbour(name, -1) }
