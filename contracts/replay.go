package contracts

import (
	"errors"
	"maps"
	"slices"

	"github.com/first-viscount/viscount/events"
)

// Replay is what the contracts of this program would do to recorded events.
type Replay struct {
	Events int      `json:"events"`
	Broken int      `json:"broken"`
	ByType []Broken `json:"by_type"`
}

// Broken are the events of one type that would be refused.
type Broken struct {
	Type      string         `json:"event_type"`
	Events    int            `json:"events"`
	Broken    int            `json:"broken"`
	Consumers []string       `json:"consumers"` // who would get dead letters
	Problems  map[string]int `json:"problems"`  // by path and code
}

// ReplayEvents judges recorded events as their consumers would.
func ReplayEvents(c *events.Catalogue, recorded [][]byte) Replay {
	replay := Replay{Events: len(recorded), ByType: []Broken{}}
	types := map[string]*Broken{}
	for _, raw := range recorded {
		eventType := events.CanonicalType(events.Peek(raw).EventType)
		of := types[eventType]
		if of == nil {
			of = &Broken{Type: eventType, Problems: map[string]int{}}
			if d, known := c.Lookup(eventType); known {
				of.Consumers = d.Contract.Consumers
			}
			types[eventType] = of
		}
		of.Events++
		_, err := c.Decode(raw)
		var bad *events.Invalid
		if !errors.As(err, &bad) {
			continue
		}
		of.Broken++
		replay.Broken++
		for _, p := range bad.Problems {
			of.Problems[p.Path+" "+string(p.Code)]++
		}
	}
	for _, eventType := range slices.Sorted(maps.Keys(types)) {
		if types[eventType].Broken > 0 {
			replay.ByType = append(replay.ByType, *types[eventType])
		}
	}
	return replay
}
