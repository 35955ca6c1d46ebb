package store

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
)

// State is where an event stands for one consumer: exactly one of six (design.md, guarantee 1). The numbers are stored.
type State int16

// The states of an event for one consumer.
const (
	Applied   State = 1 // the handler's effects are committed
	Ignored   State = 2 // ended without effect, with a reason
	Waiting   State = 3 // parked behind a held key, a missing predecessor or a pause
	Retrying  State = 4 // parked until its next attempt
	Dead      State = 5 // a dead letter: a person decides
	Discarded State = 6 // given up by a person
)

var stateNames = map[State]string{Applied: "applied", Ignored: "ignored", Waiting: "waiting", Retrying: "retrying", Dead: "dead", Discarded: "discarded"}

func (s State) String() string { return stateNames[s] }

// Ended tells whether nothing more will happen to the event here.
func (s State) Ended() bool { return s == Applied || s == Ignored || s == Discarded }

// Arrival is an event as it reaches the inbox.
type Arrival struct {
	EventID uuid.UUID
	Digest  [16]byte // of the canonical content, so that other bytes of the same content are no other event
	Foreign *Foreign // for events that no outbox of ours holds; nil otherwise
	Subject string   // whose personal data it holds, "" for nobody
	At      time.Time
}

// Foreign are the facts of an event from outside that a trace needs.
type Foreign struct {
	EventType, Key, CorrelationID, CausationID, Source string
	OccurredAt                                         time.Time
}

// Arrive enters an event into the inbox as applied; the caller corrects that with Settle if it ends otherwise. When the id
// is there already it answers its state, or ErrConflict if the content differs, which it may where personal data was erased.
func (t *Tx) Arrive(ctx context.Context, a Arrival) (prior State, fresh bool, err error) {
	f := a.Foreign
	var n int64
	if f == nil {
		n, err = t.Exec(ctx, "INSERT INTO inbox (event_id, digest, state, at) VALUES ($1, $2, $3, $4) ON CONFLICT (event_id) DO NOTHING",
			idBytes(a.EventID), a.Digest[:], Applied, micros(t.now))
	} else {
		n, err = t.Exec(ctx, `INSERT INTO inbox (event_id, digest, state, at, event_type, key, correlation, causation, source, occurred_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (event_id) DO NOTHING`,
			idBytes(a.EventID), a.Digest[:], Applied, micros(t.now), f.EventType, f.Key, f.CorrelationID, f.CausationID, f.Source, micros(f.OccurredAt))
	}
	t.writes-- // the inbox row is not the handler's
	if err != nil {
		return 0, false, fmt.Errorf("entering the inbox: %w", err)
	}
	if n == 1 {
		return Applied, true, nil
	}
	var digest []byte
	if err := t.QueryRow(ctx, "SELECT state, digest FROM inbox WHERE event_id = $1", idBytes(a.EventID)).Scan(&prior, &digest); err != nil {
		return 0, false, fmt.Errorf("reading the inbox: %w", err)
	}
	if string(digest) != string(a.Digest[:]) {
		if erased, err := erased(ctx, t, a.Subject, a.At); err != nil || !erased {
			return prior, false, cmp.Or(err, ErrConflict)
		}
	}
	return prior, false, nil
}

// Settle writes the state in which an event of the inbox stands now.
func (t *Tx) Settle(ctx context.Context, id uuid.UUID, state State, attempts int, reason string) error {
	n, err := t.Exec(ctx, "UPDATE inbox SET state = $1, attempts = $2, reason = $3, at = $4 WHERE event_id = $5", state, attempts, reason, micros(t.now), idBytes(id))
	if err != nil {
		return fmt.Errorf("settling %s: %w", id, err)
	}
	if n == 0 {
		return fmt.Errorf("settling %s: it is not in the inbox", id)
	}
	return nil
}

// Mark records that an event of this type has ended for the key, for the contracts' follows.
func (t *Tx) Mark(ctx context.Context, key, eventType string) error {
	_, err := t.Exec(ctx, "INSERT INTO marks (key, event_type, at) VALUES ($1, $2, $3) ON CONFLICT (key, event_type) DO NOTHING", key, eventType, micros(t.now))
	t.writes--
	return err
}

// Marked tells whether an event of this type has ended for the key.
func (t *Tx) Marked(ctx context.Context, key, eventType string) (bool, error) {
	return exists(ctx, t, "SELECT 1 FROM marks WHERE key = $1 AND event_type = $2", key, eventType)
}

// Stands tells whether an event of this type and key has come and may still end: it waits, is tried again, or is a dead letter
// that holds its key. One that was released holds nobody up.
func (t *Tx) Stands(ctx context.Context, key, eventType string) (bool, error) {
	return exists(ctx, t, "SELECT 1 FROM parked WHERE key = $1 AND event_type = $2 AND refused = 0 AND (state <> $3 OR held = 1)", key, eventType, Dead)
}

// The codes of waiting.
const (
	WaitHeld    = "key_held" // behind a failed event of the key
	WaitBehind  = "behind"   // behind a waiting event of the same topic and key
	WaitFollows = "follows"  // its declared predecessor has not ended
	WaitPaused  = "paused"   // an operator paused the consumer
	WaitCircuit = "circuit"  // most events fail for one cause, and this one need not
)

// Blocked tells why an event of the key must wait (WaitHeld, WaitBehind), or "". self is the row of a parked event that is
// about to go, 0 for a new arrival.
func (t *Tx) Blocked(ctx context.Context, topic, key string, self int64) (string, error) {
	if !t.HasParked(key) {
		return "", nil
	}
	held, err := exists(ctx, t, "SELECT 1 FROM parked WHERE key = $1 AND held = 1 AND id <> $2 LIMIT 1", key, self)
	if held || err != nil {
		return WaitHeld, err
	}
	before := self
	if before == 0 {
		before = math.MaxInt64
	}
	behind, err := exists(ctx, t, "SELECT 1 FROM parked WHERE key = $1 AND topic = $2 AND state = $3 AND refused = 0 AND id < $4 LIMIT 1", key, topic, Waiting, before)
	if behind || err != nil {
		return WaitBehind, err
	}
	return "", nil
}

// HasParked tells whether events of the key may be parked here; false is certain. On a shared database that needs the key's
// lock, and on any that it is the key of the transaction.
func (t *Tx) HasParked(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.parked[key] { // closed, it may not even look: the map is its group's, which has gone on
		return true
	}
	if t.store.dialect.sole && t.store.parkedRows.Load() == 0 { // one process owns the file, so that its count is the truth
		return false
	}
	return key != t.key
}

func exists(ctx context.Context, r Reader, query string, args ...any) (bool, error) {
	_, found, err := One(ctx, r, scanInt, query, args...)
	return found, err
}

func scanInt(s Scanner) (n int64, err error) { return n, s.Scan(&n) }

func scanString(s Scanner) (v string, err error) { return v, s.Scan(&v) }
