package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// writeOutbox gives the survivors' events their per-key numbers, keys sorted, and inserts them in commit order. Taken last
// and only for members that survive, the numbers have no holes.
func writeOutbox(conn *connection, survivors []*Tx) ([]Row, error) {
	total := 0
	wanted := map[string]int64{}
	for _, tx := range survivors {
		for i := range tx.emitted {
			if tx.emitted[i].sequenced {
				wanted[tx.emitted[i].Key]++
			}
		}
		total += len(tx.emitted)
	}
	if total == 0 {
		return nil, nil
	}
	next, err := takeSequences(conn, wanted)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, 0, total)
	for _, tx := range survivors {
		for i := range tx.emitted {
			e := &tx.emitted[i]
			if e.sequenced {
				next[e.Key]++
				e.Sequence = next[e.Key]
			}
			if err := insertRow(conn, e); err != nil {
				return nil, err
			}
			rows = append(rows, e.Row)
		}
	}
	return rows, nil
}

// takeSequences reserves n numbers per key and answers the number before the first.
func takeSequences(conn *connection, wanted map[string]int64) (map[string]int64, error) {
	next := make(map[string]int64, len(wanted))
	for _, key := range sortedKeys(wanted) {
		last, err := conn.queryInt("INSERT INTO sequences (key, last) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET last = sequences.last + excluded.last RETURNING last", key, wanted[key])
		if err != nil {
			return nil, fmt.Errorf("numbering the events of %s: %w", key, err)
		}
		next[key] = last - wanted[key]
	}
	return next, nil
}

func insertRow(conn *connection, e *emission) error {
	var sequence any
	if e.sequenced {
		sequence = e.Sequence
	}
	id, err := conn.queryInt(`INSERT INTO outbox (event_id, topic, event_type, key, sequence, correlation, causation, traceparent, tracestate, occurred_at, payload, digest)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
		idBytes(e.EventID), e.Topic, e.EventType, e.Key, sequence, e.CorrelationID, e.CausationID, e.TraceParent, e.TraceState,
		micros(e.OccurredAt), e.Payload, e.digest)
	if err != nil {
		return fmt.Errorf("entering %s into the outbox: %w", e.EventType, err)
	}
	e.ID = id
	return nil
}

const doneChunk = 16

var doneQuery = "UPDATE outbox SET done_at = $1 WHERE id IN (" + placeholders(2, doneChunk) + ")"

// writeDone marks rows that the transport has taken. Chunks of one size keep it one prepared statement; a short chunk
// repeats its last id.
func writeDone(conn *connection, ids []int64, at int64) error {
	for chunk := range slices.Chunk(ids, doneChunk) {
		args := make([]any, 0, doneChunk+1)
		args = append(args, at)
		for i := range doneChunk {
			args = append(args, chunk[min(i, len(chunk)-1)])
		}
		if _, err := conn.exec(doneQuery, args...); err != nil {
			return fmt.Errorf("marking published rows: %w", err)
		}
	}
	return nil
}

func placeholders(from, n int) string {
	marks := make([]string, n)
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", from+i)
	}
	return strings.Join(marks, ", ")
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Accept enters an event of another system into the outbox of the service that owns its topic, unchanged and without a
// sequence. duplicate says that the same event is there already; ErrConflict that another one carries its id.
func (t *Tx) Accept(ctx context.Context, e *events.Decoded) (duplicate bool, err error) {
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
			return false, ErrConflict
		}
		return true, nil
	}
	contract := e.Payload.Contract()
	row := emission{digest: digest[:], Row: Row{
		EventID: e.Envelope.EventID, Topic: contract.Topic(), EventType: contract.Type, Key: e.Key, Payload: e.Raw,
		CorrelationID: e.Envelope.CorrelationID, OccurredAt: e.Envelope.Timestamp, CausationID: "",
	}}
	row.TraceParent, row.TraceState = traceOf(t.ctx)
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
func pendingAfter(ctx context.Context, r Reader, after int64, limit int) ([]Row, error) {
	return All(ctx, r, scanRow, "SELECT "+rowColumns+" FROM outbox WHERE done_at IS NULL AND id > $1 ORDER BY id LIMIT $2", after, limit)
}
