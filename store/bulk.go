package store

import (
	"fmt"
	"slices"
	"strings"
)

// bulkWriter writes what a group brings along at its end: row by row where a statement costs next to nothing (SQLite), in
// one statement each where it costs a round trip (PostgreSQL).
type bulkWriter interface {
	// takeSequences reserves n numbers per key and answers the last one.
	takeSequences(wanted map[string]int64) (map[string]int64, error)
	// insert enters rows into the outbox, where they are pending, and gives them their ids.
	insert(rows []*emission) error
	// markDone ends that for rows that the transport has taken.
	markDone(ids []int64) error
	// count adds to the durable counters.
	count(sums map[string]int64) error
}

func (s *Store) writer(conn *connection) bulkWriter {
	at := micros(s.now())
	if s.dialect.sole {
		return oneByOne{conn, at}
	}
	return inBulk{conn, at, lockNumber(s.name, "outbox")}
}

type oneByOne struct {
	conn *connection
	at   int64
}

func (w oneByOne) takeSequences(wanted map[string]int64) (map[string]int64, error) {
	last := make(map[string]int64, len(wanted))
	for _, key := range sortedKeys(wanted) {
		n, err := w.conn.queryInt("INSERT INTO sequences (key, last) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET last = sequences.last + excluded.last RETURNING last", key, wanted[key])
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", key, err)
		}
		last[key] = n
	}
	return last, nil
}

func (w oneByOne) insert(rows []*emission) error {
	for _, e := range rows {
		id, err := w.conn.queryInt(`INSERT INTO outbox (event_id, topic, event_type, key, sequence, correlation, causation, traceparent, tracestate, occurred_at, payload, digest)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id`,
			idBytes(e.EventID), e.Topic, e.EventType, e.Key, e.number(), e.CorrelationID, e.CausationID, e.TraceParent, e.TraceState, micros(e.OccurredAt), e.Payload, e.digest)
		if err != nil {
			return fmt.Errorf("%s: %w", e.EventType, err)
		}
		e.ID = id
	}
	return nil
}

const doneChunk = 16

var doneQuery = "UPDATE outbox SET done_at = $1 WHERE id IN (" + placeholders(2, doneChunk) + ")"

// markDone writes chunks of one size, so that it stays one prepared statement; a short chunk repeats its last id.
func (w oneByOne) markDone(ids []int64) error {
	for chunk := range slices.Chunk(ids, doneChunk) {
		args := make([]any, 0, doneChunk+1)
		args = append(args, w.at)
		for i := range doneChunk {
			args = append(args, chunk[min(i, len(chunk)-1)])
		}
		if _, err := w.conn.exec(doneQuery, args...); err != nil {
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

func (w oneByOne) count(sums map[string]int64) error {
	for _, name := range sortedKeys(sums) {
		_, err := w.conn.exec("INSERT INTO counters (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value", name, sums[name])
		if err != nil {
			return err
		}
	}
	return nil
}

// inBulk writes in one statement each. The outbox lock, held to the commit, makes the rows' ids stand in the order of the
// commits: a reader that has passed an id has seen every row before it.
type inBulk struct {
	conn   *connection
	at     int64
	outbox int64
}

func (w inBulk) takeSequences(wanted map[string]int64) (map[string]int64, error) {
	if err := w.conn.ahead("SELECT pg_advisory_xact_lock($1)", w.outbox); err != nil {
		return nil, err
	}
	last := make(map[string]int64, len(wanted))
	if len(wanted) == 0 {
		return last, nil
	}
	keys := sortedKeys(wanted)
	numbers := make([]int64, len(keys))
	for i, key := range keys {
		numbers[i] = wanted[key]
	}
	return last, w.conn.each(`INSERT INTO sequences (key, last) SELECT * FROM unnest($1::text[], $2::bigint[])
		ON CONFLICT (key) DO UPDATE SET last = sequences.last + excluded.last RETURNING key, last`, func(rows Scanner) error {
		var key string
		var n int64
		err := rows.Scan(&key, &n)
		last[key] = n
		return err
	}, keys, numbers)
}

func (w inBulk) insert(rows []*emission) error {
	n := len(rows)
	ids, payloads, digests := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	topics, types, keys, correlations := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	causations, parents, states := make([]string, n), make([]string, n), make([]string, n)
	sequences, times := make([]*int64, n), make([]int64, n)
	for i, e := range rows {
		ids[i], payloads[i], digests[i] = idBytes(e.EventID), e.Payload, e.digest
		topics[i], types[i], keys[i], correlations[i] = e.Topic, e.EventType, e.Key, e.CorrelationID
		causations[i], parents[i], states[i] = e.CausationID, e.TraceParent, e.TraceState
		sequences[i], times[i] = e.number(), micros(e.OccurredAt)
	}
	i := 0
	return w.conn.each(`WITH entered AS (
			INSERT INTO outbox_rows (event_id, topic, event_type, key, sequence, correlation, causation, traceparent, tracestate, occurred_at, payload, digest, done_at)
			SELECT *, $13::bigint FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bytea[], $12::bytea[])
			RETURNING id
		), queued AS (INSERT INTO outbox_queue SELECT id FROM entered)
		SELECT id FROM entered`, func(r Scanner) error {
		err := r.Scan(&rows[i].ID)
		i++
		return err
	}, ids, topics, types, keys, sequences, correlations, causations, parents, states, times, payloads, digests, w.at)
}

func (w inBulk) markDone(ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	if err := w.conn.ahead("SELECT outbox_taken($1)", ids); err != nil {
		return fmt.Errorf("marking published rows: %w", err)
	}
	return nil
}

func (w inBulk) count(sums map[string]int64) error {
	names := sortedKeys(sums)
	values := make([]int64, len(names))
	for i, name := range names {
		values[i] = sums[name]
	}
	return w.conn.ahead(`INSERT INTO counters (name, value) SELECT * FROM unnest($1::text[], $2::bigint[])
		ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value`, names, values)
}
