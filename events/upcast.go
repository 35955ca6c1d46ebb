package events

import "fmt"

// Upcast upgrades an event of the major version before into a T.
type Upcast[T Payload] struct {
	up func(older Payload) (Payload, error)
}

// From is for Define: it says how the data of the major version before becomes a New. An error means that this event cannot
// be upgraded; its consumers get a dead letter.
func From[Old, New Payload](up func(Old) (New, error)) Upcast[New] {
	return Upcast[New]{up: func(older Payload) (Payload, error) {
		old, ok := older.(Old)
		if !ok {
			return nil, fmt.Errorf("a %T is no %T", older, *new(Old))
		}
		return up(old)
	}}
}

func upcastOf[T Payload](from []Upcast[T]) func(Payload) (Payload, error) {
	if len(from) == 0 {
		return nil
	}
	return from[len(from)-1].up
}

// Upcasts tells whether events of the major version before are upgraded to this one.
func (d *Definition) Upcasts() bool { return d.upcast != nil }

// Earlier are the older major versions whose events reach this one's handlers, newest first.
func (c *Catalogue) Earlier(k Contract) (earlier []Contract) {
	majors := c.byType[k.Type]
	for i := len(majors) - 1; i > 0; i-- {
		if (len(earlier) > 0 || majors[i].Contract.Version == k.Version) && majors[i].upcast != nil {
			earlier = append(earlier, majors[i-1].Contract)
		}
	}
	return earlier
}

// addMajor puts a definition behind the older major versions of its type, which must come first.
func (c *Catalogue) addMajor(d *Definition) error {
	d.next = nil
	majors := c.byType[d.Contract.Type]
	if len(majors) > 0 {
		last := majors[len(majors)-1]
		switch {
		case last.Contract.Major() == d.Contract.Major():
			return fmt.Errorf("contract %s is defined twice", d.Contract.Type)
		case number(last.Contract.Major())+1 != number(d.Contract.Major()):
			return fmt.Errorf("contract %s: major version %s must come after %d", d.Contract.Type, d.Contract.Major(), number(d.Contract.Major())-1)
		case d.upcast == nil:
			return fmt.Errorf("contract %s: major version %s needs an upcaster from %s: events.Define(events.From(…))", d.Contract.Type, d.Contract.Major(), last.Contract.Major())
		}
		last.next = d
	}
	c.byType[d.Contract.Type] = append(majors, d)
	return nil
}

func number(major string) (n int) {
	for _, digit := range major {
		n = 10*n + int(digit-'0')
	}
	return n
}

// major finds one major version of a type, or its newest where there is no such.
func (c *Catalogue) major(eventType, major string) (*Definition, bool) {
	if d, known := c.Major(eventType, major); known {
		return d, true
	}
	return c.Lookup(eventType)
}

// reading is the contract of a message that is being read, nil where only more of it will tell.
func (c *Catalogue) reading(eventType string, m *message) *Definition {
	majors := c.byType[eventType]
	if len(majors) == 1 {
		return majors[0]
	}
	for _, name := range []string{"event_version", "version"} {
		if version := m.find(name); version != nil {
			d, _ := c.major(eventType, majorOf(version.text))
			return d
		}
	}
	return nil
}
