package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
)

// Parked is an event that waits, retries or is dead, with its bytes.
type Parked struct {
	ID            int64
	EventID       uuid.UUID // the zero UUID if the message had no readable one
	Topic         string
	EventType     string
	Key           string
	State         State
	Held          bool   // later events of the key wait behind it
	Refused       bool   // turned away before the handler: not the event's standing in the inbox
	Code          string // why, from the list of failure codes
	Detail        string
	Fingerprint   string // groups failures of one cause
	Awaits        string // the event type it follows
	Due           *time.Time
	Attempts      int
	CorrelationID string
	CausationID   string
	OccurredAt    time.Time
	ParkedAt      time.Time
	Partition     string // where the message stood on its transport; "" where that numbers nothing
	Offset        string
	FailedFirst   *time.Time // when an attempt failed first and last; nil if none did
	FailedLast    *time.Time
	Payload       []byte // the message's own bytes
	Metadata      map[string]string
}

// Same tells whether the row still stands as it did in other: nobody has worked on it meanwhile.
func (p Parked) Same(other Parked) bool {
	sameDue := p.Due == other.Due || p.Due != nil && other.Due != nil && p.Due.Equal(*other.Due)
	return p.State == other.State && p.Code == other.Code && p.Attempts == other.Attempts && sameDue
}

// Park stores an event that cannot be handled now.
func (t *Tx) Park(ctx context.Context, p Parked) error {
	metadata, err := json.Marshal(p.Metadata, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("parking: %w", err)
	}
	if p.Payload, err = t.keepable(ctx, p.EventType, p.Payload); err != nil {
		return err
	}
	var id any
	if p.EventID != uuid.Nil {
		id = idBytes(p.EventID)
	}
	_, err = t.Exec(ctx, `INSERT INTO parked (event_id, topic, event_type, key, state, held, refused, code, detail, fingerprint, awaits, due, attempts,
		correlation, causation, occurred_at, parked_at, changed_at, payload, metadata, source_partition, source_offset, failed_first, failed_last)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17, $18, $19, $20, $21, $22, $23)`,
		id, p.Topic, p.EventType, p.Key, p.State, Bit(p.Held), Bit(p.Refused), p.Code, p.Detail, p.Fingerprint, p.Awaits, MicrosOf(p.Due), p.Attempts,
		p.CorrelationID, p.CausationID, micros(p.OccurredAt), micros(t.now), p.Payload, string(metadata), p.Partition, p.Offset,
		MicrosOf(p.FailedFirst), MicrosOf(p.FailedLast))
	if err != nil {
		return fmt.Errorf("parking %s: %w", p.EventType, err)
	}
	if !p.Refused {
		t.noteParked(p.Key)
	}
	return nil
}

// redelivered is how many of the latest rows are looked at for a message that names no event: what comes again comes soon.
const redelivered = 1000

// RefusedBefore tells whether the same message, from the same place of its transport, was turned away before and is a dead
// letter for it.
func RefusedBefore(ctx context.Context, r Reader, p Parked) (bool, error) {
	query := "SELECT 1 FROM parked WHERE refused = 1 AND state = $1 AND topic = $2 AND code = $3 AND source_partition = $4 AND source_offset = $5 AND payload = $6"
	args := []any{Dead, p.Topic, p.Code, p.Partition, p.Offset, p.Payload, int64(redelivered)}
	if p.EventID == uuid.Nil {
		query += " AND event_id IS NULL AND id > (SELECT MAX(id) FROM parked) - $7"
	} else {
		query, args[6] = query+" AND event_id = $7", idBytes(p.EventID)
	}
	_, found, err := One(ctx, r, scanInt, query+" LIMIT 1", args...)
	return found, err
}

// noteParked lets later members of this group look for parked events of the key, even if this one is rolled back.
func (t *Tx) noteParked(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.moreParked++
		t.parked[key] = true
	}
}

// Admit makes a dead letter that was turned away an event like others, which stands in the inbox: what it is now known to be
// is in p.
func (t *Tx) Admit(ctx context.Context, p Parked) error {
	_, err := t.Exec(ctx, "UPDATE parked SET refused = 0, event_id = $1, event_type = $2, key = $3, correlation = $4, causation = $5, occurred_at = $6 WHERE id = $7",
		idBytes(p.EventID), p.EventType, p.Key, p.CorrelationID, p.CausationID, micros(p.OccurredAt), p.ID)
	if err != nil {
		return fmt.Errorf("admitting %s: %w", p.EventType, err)
	}
	t.noteParked(p.Key)
	return nil
}

// Dismiss removes a dead letter that was turned away: it stands in no inbox and held nothing.
func (t *Tx) Dismiss(ctx context.Context, id int64) error {
	if _, err := t.Exec(ctx, "DELETE FROM parked WHERE id = $1 AND refused = 1", id); err != nil {
		return fmt.Errorf("removing dead letter %d: %w", id, err)
	}
	return nil
}

// Repark writes how a parked event stands after another attempt: p's state, held, code, detail, fingerprint, awaits, due,
// attempts, and when it failed.
func (t *Tx) Repark(ctx context.Context, p Parked) error {
	_, err := t.Exec(ctx, `UPDATE parked SET state = $1, held = $2, code = $3, detail = $4, fingerprint = $5, awaits = $6, due = $7, attempts = $8, changed_at = $9,
		failed_first = $10, failed_last = $11 WHERE id = $12`,
		p.State, Bit(p.Held), p.Code, p.Detail, p.Fingerprint, p.Awaits, MicrosOf(p.Due), p.Attempts, micros(t.now), MicrosOf(p.FailedFirst), MicrosOf(p.FailedLast), p.ID)
	if err != nil {
		return fmt.Errorf("parking %s again: %w", p.EventType, err)
	}
	return nil
}

// Unpark removes a parked event that has ended.
func (t *Tx) Unpark(ctx context.Context, id int64) error {
	n, err := t.Exec(ctx, "DELETE FROM parked WHERE id = $1", id)
	t.writes--
	if err != nil {
		return fmt.Errorf("removing parked row %d: %w", id, err)
	}
	t.moreParked -= n
	return nil
}

const parkedColumns = `id, event_id, topic, event_type, key, state, held, refused, code, detail, fingerprint, awaits, due, attempts,
	correlation, causation, occurred_at, parked_at, payload, metadata, source_partition, source_offset, failed_first, failed_last`

func scanParked(s Scanner) (p Parked, err error) {
	var id []byte
	var due, first, last sql.NullInt64
	var occurred, parked int64
	var metadata string
	err = s.Scan(&p.ID, &id, &p.Topic, &p.EventType, &p.Key, &p.State, &p.Held, &p.Refused, &p.Code, &p.Detail, &p.Fingerprint, &p.Awaits, &due, &p.Attempts,
		&p.CorrelationID, &p.CausationID, &occurred, &parked, &p.Payload, &metadata, &p.Partition, &p.Offset, &first, &last)
	if err != nil {
		return p, err
	}
	p.Due, p.OccurredAt, p.ParkedAt = TimeOf(due), Time(occurred), Time(parked)
	p.FailedFirst, p.FailedLast = TimeOf(first), TimeOf(last)
	if id != nil {
		if p.EventID, err = uuid.FromBytes(id); err != nil {
			return p, err
		}
	}
	return p, json.Unmarshal([]byte(metadata), &p.Metadata)
}

// ParkedRow reads one parked event; found is false when it has ended meanwhile.
func ParkedRow(ctx context.Context, r Reader, id int64) (p Parked, found bool, err error) {
	return One(ctx, r, scanParked, "SELECT "+parkedColumns+" FROM parked WHERE id = $1", id)
}

// DueParked reads parked events whose time has come: retries, and waits whose limit has passed.
func DueParked(ctx context.Context, r Reader, now time.Time, limit int) ([]Parked, error) {
	return All(ctx, r, scanParked, "SELECT "+parkedColumns+" FROM parked WHERE due IS NOT NULL AND due <= $1 ORDER BY due, id LIMIT $2", micros(now), limit)
}

// Heads reads, in arrival order, the first waiting event of every topic and key after a row id, except where the key is held by
// another event. Predecessors are not looked at.
func Heads(ctx context.Context, r Reader, after int64, limit int) ([]Parked, error) {
	return All(ctx, r, scanParked, "SELECT "+parkedColumns+` FROM parked AS p WHERE state = $1 AND refused = 0 AND id > $2
		AND NOT EXISTS (SELECT 1 FROM parked AS h WHERE h.key = p.key AND h.held = 1)
		AND NOT EXISTS (SELECT 1 FROM parked AS f WHERE f.key = p.key AND f.topic = p.topic AND f.state = $1 AND f.refused = 0 AND f.id < p.id)
		ORDER BY id LIMIT $3`, Waiting, after, limit)
}

// HeadsOf reads those of one key. However many wait for it, it steps from topic to topic and takes the first event of each.
func HeadsOf(ctx context.Context, r Reader, key string) ([]Parked, error) {
	return All(ctx, r, scanParked, `WITH RECURSIVE topics (name) AS (
			SELECT MIN(topic) FROM parked WHERE key = $2
			UNION ALL SELECT (SELECT MIN(topic) FROM parked WHERE key = $2 AND topic > name) FROM topics WHERE name IS NOT NULL)
		SELECT `+parkedColumns+` FROM parked WHERE NOT EXISTS (SELECT 1 FROM parked AS h WHERE h.key = $2 AND h.held = 1) AND id IN (
			SELECT (SELECT id FROM parked AS f WHERE f.key = $2 AND f.topic = name AND f.state = $1 AND f.refused = 0 ORDER BY f.id LIMIT 1) FROM topics)
		ORDER BY id`, Waiting, key)
}

// NextProbe reads an event to try while most fail: in turn of the row ids after a given one, of those that retry or of those
// that wait and may go.
func NextProbe(ctx context.Context, r Reader, waiting bool, after int64) (p Parked, found bool, err error) {
	for _, from := range []int64{after, 0} {
		if waiting {
			var heads []Parked
			if heads, err = Heads(ctx, r, from, 1); len(heads) > 0 {
				p, found = heads[0], true
			}
		} else {
			p, found, err = One(ctx, r, scanParked, "SELECT "+parkedColumns+" FROM parked WHERE state = $1 AND id > $2 ORDER BY id LIMIT 1", Retrying, from)
		}
		if found || err != nil {
			return p, found, err
		}
	}
	return p, false, nil
}

// Missing reads the dead letters of a key whose predecessor had not come in time: applying it sends them on.
func Missing(ctx context.Context, r Reader, key, code string) ([]Parked, error) {
	return All(ctx, r, scanParked, "SELECT "+parkedColumns+" FROM parked WHERE key = $1 AND code = $2 AND refused = 0 AND state = $3 ORDER BY id", key, code, Dead)
}

// NextParked is when the next parked event comes due; found is false when none waits for a time.
func NextParked(ctx context.Context, r Reader) (at time.Time, found bool, err error) {
	us, found, err := One(ctx, r, scanInt, "SELECT due FROM parked WHERE due IS NOT NULL ORDER BY due LIMIT 1")
	if found {
		at = Time(us)
	}
	return at, found, err
}

// ParkedRows tells how many events are parked: exactly for the sole owner of a database, a second old on a shared one.
func (s *Store) ParkedRows() int64 { return s.parkedRows.Load() }

func (s *Store) countParked(ctx context.Context) error {
	return s.View(ctx, func(ctx context.Context, r Reader) error {
		n, _, err := One(ctx, r, scanInt, "SELECT COUNT(*) FROM parked WHERE refused = 0")
		s.parkedRows.Store(n)
		return err
	})
}

// DeadLetters reads the dead letters of one event.
func DeadLetters(ctx context.Context, r Reader, eventID uuid.UUID) ([]Parked, error) {
	return All(ctx, r, scanParked, "SELECT "+parkedColumns+" FROM parked WHERE event_id = $1 AND state = $2 ORDER BY id", idBytes(eventID), Dead)
}
