package contracts

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/first-viscount/viscount/events"
)

// Replay is what the contracts of this program would do to recorded events.
type Replay struct {
	Events int      `json:"events"`
	Broken int      `json:"broken"`
	ByType []Broken `json:"by_type"`
}

// Broken are the events of one major version that would be refused.
type Broken struct {
	Type      string         `json:"event_type"`
	Major     string         `json:"major"` // "": none could be read
	Events    int            `json:"events"`
	Broken    int            `json:"broken"`
	Consumers map[string]int `json:"consumers"` // who would get dead letters, and how many; none: nobody is known to hear them
	Problems  map[string]int `json:"problems"`  // by path and code, or what an upcaster says
}

// ReplayEvents judges recorded events as their consumers would: by the contract of the event's own major version, and upgraded
// to the newest. before are earlier contracts, by which the consumers of a removed one are known.
func ReplayEvents(c *events.Catalogue, before Set, recorded [][]byte) Replay {
	r := replay{c, before, map[string]*Broken{}}
	answer := Replay{Events: len(recorded), ByType: []Broken{}}
	for _, raw := range recorded {
		if r.breaks(raw) {
			answer.Broken++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.of)) {
		if r.of[name].Broken > 0 {
			answer.ByType = append(answer.ByType, *r.of[name])
		}
	}
	return answer
}

type replay struct {
	catalogue *events.Catalogue
	before    Set
	of        map[string]*Broken // by type and major version
}

func (r *replay) breaks(raw []byte) bool {
	e := events.Peek(raw)
	eventType := events.CanonicalType(e.EventType)
	major, _, _ := strings.Cut(e.EventVersion, ".")
	name := eventType + ".v" + major
	of := r.of[name]
	if of == nil {
		of = &Broken{Type: eventType, Major: major, Consumers: map[string]int{}, Problems: map[string]int{}}
		r.of[name] = of
	}
	of.Events++
	decoded, err := r.catalogue.Decode(raw)
	var bad *events.Invalid
	if errors.As(err, &bad) {
		for _, p := range bad.Problems {
			of.Problems[p.Path+" "+string(p.Code)]++
		}
		return of.add(r.consumers(eventType, major))
	}
	if _, failing, err := decoded.Newest(); err != nil {
		of.Problems[fmt.Sprintf("upgrading to %s: %s", failing.Contract.Version, err)]++
		return of.add(r.consumers(eventType, failing.Contract.Major()))
	}
	return false
}

func (b *Broken) add(consumers []string) bool {
	b.Broken++
	for _, name := range consumers {
		b.Consumers[name]++
	}
	return true
}

// consumers hear a major version or, upgraded, as a later one. Where such a version is gone, they are those that it had.
func (r *replay) consumers(eventType, major string) (all []string) {
	for _, d := range r.catalogue.Majors(eventType) {
		if number(d.Contract.Major()) >= number(major) {
			all = append(all, d.Contract.Consumers...)
		}
	}
	for _, s := range r.before {
		if s.Contract == nil || s.Contract.Type != eventType {
			continue
		}
		was, _, _ := strings.Cut(s.Contract.Version, ".")
		if _, kept := r.catalogue.Major(eventType, was); !kept && number(was) >= number(major) {
			all = append(all, s.Contract.Consumers...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// number is a major version's, 0 for what is none.
func number(major string) int {
	n, _ := strconv.Atoi(major)
	return n
}
