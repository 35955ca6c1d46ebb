package events

import (
	"strconv"
	"strings"
	"time"
)

const (
	// Day is the unit in which retention is declared.
	Day = 24 * time.Hour
	// Unlimited is the retention of events that are kept for good.
	Unlimited time.Duration = 0
)

// Contract is what publishers and consumers of one event type have agreed on.
type Contract struct {
	Type       string        // event_type, "domain.action"
	Version    string        // event_version, "MAJOR.MINOR"
	Key        string        // the data field that is the ordering key; "a|b" means the first of them that is present
	Publisher  string        // the source_service of every event of this type
	Consumers  []string      // the services that hear it
	Follows    []string      // event types that come before this one, for the same key
	Retention  time.Duration // how long recorded events are kept; Unlimited or a duration
	Purpose    string        // what the event says
	When       string        // at which moment it is published
	Addition   bool          // true if the event is not in the contract document but an addition to it
}

// Topic is where events of this contract are published: {service}.{domain}.{action}.v{major}.
func (c Contract) Topic() string {
	return strings.TrimSuffix(c.Publisher, "-service") + "." + c.Type + ".v" + strconv.Itoa(c.Major())
}

// DeadLetterTopic is where consumers announce the events of this contract that they could not handle.
func (c Contract) DeadLetterTopic() string { return c.Topic() + ".dlq" }

// Major is the major version, the part that changes only with a breaking change. It is 0 if Version is malformed.
func (c Contract) Major() int {
	major, _ := majorOf(c.Version)
	return major
}

// majorOf returns the major part of a "MAJOR.MINOR" version and whether the version is well formed.
func majorOf(version string) (int, bool) {
	before, after, found := strings.Cut(version, ".")
	if !found || !isNumber(before) || !isNumber(after) {
		return 0, false
	}
	major, err := strconv.Atoi(before)
	return major, err == nil
}

// isNumber reports whether s is a decimal number of at most six digits.
func isNumber(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 6
}

// Payload is the typed content of one event type, the "data" of an event. Payloads are plain structs, used by value.
type Payload interface {
	// Contract returns the contract that the payload belongs to. It does not depend on the payload's value.
	Contract() Contract
	// Validate reports every rule of the contract that the value breaks, as an *Invalid; nil if there is none.
	Validate() error
}
