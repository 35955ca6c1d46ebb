package events

import (
	"time"

	"github.com/google/uuid"
)

// Envelope is what every event carries around its data.
type Envelope struct {
	EventID       uuid.UUID `json:"event_id"`       // identifies the event; two deliveries of one event share it
	CorrelationID string    `json:"correlation_id"` // 1–128 printable characters; ties together what one request caused
	Timestamp     time.Time `json:"timestamp"`      // when it happened, UTC
	SourceService string    `json:"source_service"` // who published it, kebab-case
	EventVersion  string    `json:"event_version"`  // MAJOR.MINOR of the contract
	EventType     string    `json:"event_type"`     // domain.action
}

// Event is a decoded event as a handler receives it.
type Event[T Payload] struct {
	Envelope
	Sequence    int64  // the source's number of this event within its key, from 1; 0 if the source gave none
	CausationID string // the event that caused this one; empty if none did
	Data        T
}

// Newer reports whether the event is newer than what a row was last written from, given that event's sequence and
// timestamp: by sequence if both have one, else by timestamp. What overwrites a row must ask; what adds to one must not.
func (e Event[T]) Newer(lastSequence int64, lastTimestamp time.Time) bool {
	if e.Sequence > 0 && lastSequence > 0 {
		return e.Sequence > lastSequence
	}
	return e.Timestamp.After(lastTimestamp)
}

// As returns a decoded event as an event of type T, with the metadata that travelled beside it; false if it is of another type.
func As[T Payload](d *Decoded, sequence int64, causation string) (Event[T], bool) {
	data, ok := d.Payload.(T)
	if !ok {
		return Event[T]{}, false
	}
	return Event[T]{Envelope: d.Envelope, Sequence: sequence, CausationID: causation, Data: data}, true
}
