package events

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Envelope is what every event carries around its data (contract document, "Event Structure").
type Envelope struct {
	EventID       uuid.UUID `json:"event_id" doc:"Unique to the event; a repetition has no effect."`
	CorrelationID string    `json:"correlation_id" doc:"Kept through all that follows from one cause; an order has one for life."`
	Timestamp     time.Time `json:"timestamp" doc:"When it happened, in the publisher's clock."`
	SourceService string    `json:"source_service" doc:"Who publishes it, in kebab-case."`
	EventVersion  string    `json:"event_version" doc:"Version of the contract, MAJOR.MINOR."`
	EventType     string    `json:"event_type" doc:"What happened, as domain.action."`
}

// EnvelopeFields describes what stands around an event's data, and the data, for people and documents.
func EnvelopeFields() (all []Field) {
	t := reflect.TypeFor[Envelope]()
	for i := range t.NumField() {
		f := t.Field(i)
		kind := KindString
		if f.Type == timeType {
			kind = KindTime
		}
		all = append(all, Field{Path: jsonName(f), Kind: kind.String(), Doc: f.Tag.Get("doc")})
	}
	return append(all, Field{Path: "data", Kind: KindObject.String(), Doc: "What the contract of its type says."})
}

// Event is a decoded event as a handler gets it.
type Event[T Payload] struct {
	Envelope
	Sequence    int64  // the source's per-key number; 0 where a foreign source sends none
	CausationID string // event_id of the event that caused this one, "" if unknown
	Data        T
}

// Newer tells whether this event is newer than what a row was last written from: by the source's sequence, or by timestamp
// where either has none.
func (e Event[T]) Newer(lastSequence int64, lastTime time.Time) bool {
	if e.Sequence > 0 && lastSequence > 0 {
		return e.Sequence > lastSequence
	}
	return e.Timestamp.After(lastTime)
}

// Decoded is an event whose contract is found out from its bytes.
type Decoded struct {
	Envelope   Envelope
	Payload    Payload
	Key        string // orders it; see Contract.Key
	Raw        []byte // the canonical form: the input itself, or the rewritten old dialect
	Legacy     bool   // it came in the old dialect
	Definition *Definition
}

// Digest identifies the content: SHA-256 of the canonical JSON (RFC 8785, integers kept exact) of Raw, the first 16 bytes.
func (d *Decoded) Digest() [16]byte {
	canonical := jsontext.Value(append([]byte(nil), d.Raw...))
	if err := canonical.Canonicalize(jsontext.CanonicalizeRawInts(false)); err != nil {
		canonical = d.Raw // it was decoded, so that this cannot be; other bytes are then other content
	}
	sum := sha256.Sum256(canonical)
	return [16]byte(sum[:16])
}

// As gives a decoded event its type. An event of an earlier major version is upgraded step by step; its envelope stays as it
// came.
func As[T Payload](d *Decoded, sequence int64, causationID string) (Event[T], error) {
	data, err := upgrade[T](d)
	if err != nil {
		return Event[T]{}, err
	}
	return Event[T]{Envelope: d.Envelope, Sequence: sequence, CausationID: causationID, Data: data}, nil
}

// Newest is the data as a handler of the newest major version gets it. Where it cannot be upgraded, failing is the version that
// it does not reach.
func (d *Decoded) Newest() (newest Payload, failing *Definition, err error) {
	newest = d.Payload
	for next := d.Definition.next; next != nil; next = next.next {
		if newest, err = next.upcastCarefully(newest); err != nil {
			return nil, next, err
		}
	}
	return newest, nil, nil
}

// upcastCarefully turns a panic into an error, as the router does for a handler.
func (d *Definition) upcastCarefully(older Payload) (newer Payload, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the upcaster panics: %v", v)
		}
	}()
	return d.upcast(older)
}

func upgrade[T Payload](d *Decoded) (data T, err error) {
	payload := d.Payload
	for next := d.Definition.next; ; next = next.next {
		if data, ok := payload.(T); ok {
			return data, nil
		}
		if next == nil {
			return data, fmt.Errorf("a %s of version %s is no %T", d.Envelope.EventType, d.Envelope.EventVersion, data)
		}
		if payload, err = next.upcast(payload); err != nil {
			return data, fmt.Errorf("upgrading a %s of version %s to %s: %w", d.Envelope.EventType, d.Envelope.EventVersion, next.Contract.Version, err)
		}
	}
}
