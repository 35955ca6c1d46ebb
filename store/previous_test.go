package store_test

import (
	"database/sql"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// previous is a process of the program before migration 00006: it knows outbox alone, by these statements.
type previous struct {
	t                    *testing.T
	enter, pending, mark *sql.Stmt
}

// newPrevious prepares the statements once, on one connection, as a process does.
func newPrevious(t *testing.T, dir string, settings ...string) previous {
	t.Helper()
	conn, err := connect(t, postgresOf(t, dir)).Conn(t.Context())
	require.NoError(t, err)
	for _, set := range append(settings, "SET search_path TO test") {
		_, err = conn.ExecContext(t.Context(), set)
		require.NoError(t, err)
	}
	prepare := func(query string) *sql.Stmt {
		statement, err := conn.PrepareContext(t.Context(), query)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, statement.Close()) })
		return statement
	}
	return previous{t,
		prepare(`INSERT INTO outbox (event_id, topic, event_type, key, sequence, correlation, causation, traceparent, tracestate, occurred_at, payload, digest)
			SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::bytea[], $12::bytea[])
			RETURNING id`),
		prepare("SELECT id, key FROM outbox WHERE done_at IS NULL AND id > $1 ORDER BY id LIMIT $2"),
		prepare("UPDATE outbox SET done_at = $1 WHERE id = ANY($2)"),
	}
}

// emit enters an event for each key.
func (p previous) emit(keys ...string) {
	p.t.Helper()
	n := len(keys)
	ids, topics, types, empty := make([][]byte, n), make([]string, n), make([]string, n), make([]string, n)
	sequences, times, payloads := make([]int64, n), make([]int64, n), make([][]byte, n)
	for i, key := range keys {
		ids[i], topics[i], types[i], sequences[i], payloads[i] = []byte(key + "0123456789abcdef")[:16], "topic", "product.deleted", 1, []byte("{}")
	}
	rows, err := p.enter.Query(ids, topics, types, keys, sequences, keys, empty, empty, empty, times, payloads, make([][]byte, n))
	require.NoError(p.t, err)
	defer rows.Close()
	last := int64(0)
	for i := range keys {
		require.True(p.t, rows.Next(), "an id for event %d: %v", i, rows.Err())
		id := last
		require.NoError(p.t, rows.Scan(&id))
		require.Greater(p.t, id, last, "in order")
		last = id
	}
}

// publish takes what it finds pending, and tells the keys.
func (p previous) publish() (keys []string) {
	p.t.Helper()
	rows, err := p.pending.Query(0, 100)
	require.NoError(p.t, err)
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		var key string
		require.NoError(p.t, rows.Scan(&id, &key))
		ids, keys = append(ids, id), append(keys, key)
	}
	require.NoError(p.t, rows.Err())
	_, err = p.mark.Exec(time.Now().UnixMicro(), ids)
	require.NoError(p.t, err)
	return keys
}

// TestThePreviousProgramRunsBesideThisOne: whichever leads publishes what either has entered, and the other not once more.
func TestThePreviousProgramRunsBesideThisOne(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	st := open(t, dir, nil)
	old := newPrevious(t, dir)

	emit(t, st, "new", 2)
	old.emit("old1", "old2")
	require.Equal(t, []string{"new", "new", "old1", "old2"}, old.publish())
	require.Zero(t, pending(t, st))

	old.emit("old3", "old4")
	emit(t, st, "newer", 2)
	require.Equal(t, int64(4), pending(t, st))
	p := newTransport(nil)
	stop := relay(t, st, p)
	quiet(t, st)
	stop()
	require.Equal(t, map[string][]int64{"old3": {1}, "old4": {1}, "newer": {1, 2}}, p.taken, "and nothing that the other has published")
	require.Empty(t, old.publish())
}

// withoutQueue takes migration 00006 back.
func withoutQueue(t *testing.T, dir string) {
	t.Helper()
	migration, err := os.ReadFile("migrations/postgres/00006_outbox_queue.sql")
	require.NoError(t, err)
	_, down, _ := strings.Cut(string(migration), "-- +goose Down")
	_, err = connect(t, postgresOf(t, dir)).Exec("SET search_path TO test;" + down + "DELETE FROM store_version WHERE version_id = 6;")
	require.NoError(t, err)
}

// TestWhatWasPendingBeforeTheQueueIsPublished: the migration finds it, under a process that runs.
func TestWhatWasPendingBeforeTheQueueIsPublished(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	st := open(t, dir, nil)
	emit(t, st, "new", 1)
	require.NoError(t, st.Close())
	withoutQueue(t, dir)
	old := newPrevious(t, dir)
	require.Equal(t, []string{"new"}, old.publish(), "what the way back leaves pending")
	old.emit("before")

	st = open(t, dir, nil)
	old.emit("after")
	p := newTransport(nil)
	stop := relay(t, st, p)
	quiet(t, st)
	stop()
	require.Equal(t, map[string][]int64{"before": {1}, "after": {1}}, p.taken)
	require.Empty(t, old.publish())
}

// TestAMarkOfThePreviousProgramKeepsWhatWasErasedMeanwhile: it has read the row before, as it was.
func TestAMarkOfThePreviousProgramKeepsWhatWasErasedMeanwhile(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	open(t, dir, nil)
	old := newPrevious(t, dir)
	old.emit("k")
	db := connect(t, postgresOf(t, dir))
	erasing, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = erasing.Exec("UPDATE test.outbox SET payload = 'erased'")
	require.NoError(t, err)
	marked := make(chan []string, 1)
	go func() { marked <- old.publish() }()
	require.Eventually(t, func() (waits bool) {
		require.NoError(t, db.QueryRow("SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')").Scan(&waits))
		return waits
	}, 10*time.Second, time.Millisecond, "it waits for the row")
	require.NoError(t, erasing.Commit())
	require.Equal(t, []string{"k"}, <-marked)
	var payload string
	require.NoError(t, db.QueryRow("SELECT convert_from(payload, 'UTF8') FROM test.outbox WHERE done_at IS NOT NULL").Scan(&payload))
	require.Equal(t, "erased", payload)
}

// TestThePreviousProgramPrunes: rows leave with what is queued of them.
func TestThePreviousProgramPrunes(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	st := open(t, dir, nil)
	db := connect(t, postgresOf(t, dir))
	emit(t, st, "k", 2)
	old := newPrevious(t, dir)
	old.publish()
	old.emit("pending")
	result, err := db.Exec("DELETE FROM test.outbox WHERE id IN (SELECT id FROM test.outbox WHERE done_at >= 0 AND occurred_at < $2 ORDER BY id LIMIT $1)", 500, time.Now().Add(time.Hour).UnixMicro())
	require.NoError(t, err)
	n, err := result.RowsAffected()
	require.NoError(t, err)
	require.Equal(t, int64(2), n)
	require.Len(t, recorded(t, st), 1)
	require.Equal(t, int64(1), pending(t, st))
	_, err = db.Exec("DELETE FROM test.outbox")
	require.NoError(t, err)
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM test.outbox_queue").Scan(&n))
	require.Zero(t, n)
}
