package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
)

// Row is a committed event on its way to the transport.
type Row struct {
	ID            int64
	EventID       uuid.UUID
	Topic         string
	EventType     string
	Key           string
	Sequence      int64 // 0: none, for a foreign event
	CorrelationID string
	CausationID   string
	TraceParent   string
	TraceState    string
	OccurredAt    time.Time
	Payload       []byte
	Again         bool // it was published in an earlier round and left a consumer behind
}

// emission is a row that waits in its transaction for the end of the group.
type emission struct {
	Row
	sequenced bool
	digest    []byte
}

// number is the row's sequence as the database keeps it: none for a foreign event.
func (e *emission) number() *int64 {
	if !e.sequenced {
		return nil
	}
	return &e.Sequence
}

// writeOutbox gives the survivors' events their per-key numbers and inserts them in commit order. Taken last and only for
// members that survive, the numbers have no holes.
func writeOutbox(w bulkWriter, survivors []*Tx) ([]Row, error) {
	var emitted []*emission
	wanted := map[string]int64{}
	for _, tx := range survivors {
		for i := range tx.emitted {
			e := &tx.emitted[i]
			emitted = append(emitted, e)
			if e.sequenced {
				wanted[e.Key]++
			}
		}
	}
	if len(emitted) == 0 {
		return nil, nil
	}
	last, err := w.takeSequences(wanted)
	if err != nil {
		return nil, fmt.Errorf("numbering events: %w", err)
	}
	for _, e := range emitted {
		if e.sequenced {
			e.Sequence = last[e.Key] - wanted[e.Key] + 1
			wanted[e.Key]--
		}
	}
	if err := w.insert(emitted); err != nil {
		return nil, fmt.Errorf("entering events into the outbox: %w", err)
	}
	rows := make([]Row, len(emitted))
	for i, e := range emitted {
		rows[i] = e.Row
	}
	return rows, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Accept enters an event of another system into the outbox of the service that owns its topic, unchanged and without a
// sequence. duplicate says that the same event is there already; ErrConflict that another one carries its id.
func (t *Tx) Accept(ctx context.Context, e *events.Decoded) (duplicate bool, err error) {
	return t.accept(ctx, e, func(row *emission) { row.TraceParent, row.TraceState = traceOf(t.ctx) })
}

func (t *Tx) accept(ctx context.Context, e *events.Decoded, complete func(row *emission)) (duplicate bool, err error) {
	digest := e.Digest()
	stored, err := t.storedDigest(ctx, e.Envelope.EventID)
	if err != nil {
		return false, fmt.Errorf("looking up %s in the outbox: %w", e.Envelope.EventID, err)
	}
	if stored == nil {
		stored = t.pendingDigest(e.Envelope.EventID)
	}
	if stored != nil {
		if string(stored) != string(digest[:]) {
			if erased, err := erased(ctx, t, e.Subject(), e.Envelope.Timestamp); err != nil || !erased {
				return false, cmp.Or(err, ErrConflict)
			}
		}
		return true, nil
	}
	contract := e.Payload.Contract()
	row := emission{digest: digest[:], Row: Row{
		EventID: e.Envelope.EventID, Topic: contract.Topic(), EventType: contract.Type, Key: e.Key, Payload: e.Raw,
		CorrelationID: e.Envelope.CorrelationID, OccurredAt: e.Envelope.Timestamp,
	}}
	complete(&row)
	return false, t.append(row)
}

// storedDigest gives the digest of a stored event, or nil when the outbox does not hold it. Our own events carry no digest
// in the hot path: theirs is computed from the bytes when somebody asks.
func (t *Tx) storedDigest(ctx context.Context, id uuid.UUID) ([]byte, error) {
	var digest, payload []byte
	err := t.QueryRow(ctx, "SELECT digest, payload FROM outbox WHERE event_id = $1", idBytes(id)).Scan(&digest, &payload)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil || digest != nil {
		return digest, err
	}
	decoded, err := t.store.catalogue.Decode(payload)
	if err != nil {
		return nil, fmt.Errorf("reading the stored event: %w", err)
	}
	sum := decoded.Digest()
	return sum[:], nil
}

// pendingDigest finds an event accepted earlier in this transaction, as in a request that lists it twice.
func (t *Tx) pendingDigest(id uuid.UUID) []byte {
	for i := range t.emitted {
		if t.emitted[i].EventID == id {
			return t.emitted[i].digest
		}
	}
	return nil
}

const rowColumns = "id, event_id, topic, event_type, key, COALESCE(sequence, 0), correlation, causation, traceparent, tracestate, occurred_at, payload"

func scanRow(s Scanner) (Row, error) {
	var r Row
	var id []byte
	var at int64
	err := s.Scan(&r.ID, &id, &r.Topic, &r.EventType, &r.Key, &r.Sequence, &r.CorrelationID, &r.CausationID, &r.TraceParent, &r.TraceState, &at, &r.Payload)
	if err != nil {
		return r, err
	}
	r.OccurredAt = Time(at)
	r.EventID, err = uuid.FromBytes(id)
	return r, err
}

// pendingAfter reads rows that the transport has not taken, in commit order.
func (s *Store) pendingAfter(ctx context.Context, r Reader, after int64, limit int) ([]Row, error) {
	return All(ctx, r, scanRow, s.dialect.pendingNext, after, limit)
}
