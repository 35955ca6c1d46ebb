package store_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRolesKeepTheirRightsToTheOutbox: granted before the migration, they suffice after it. Seen red without the grants to the
// view, to the queue, to the rows' ids, and with a default of the view that asks the sequence.
func TestRolesKeepTheirRightsToTheOutbox(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	require.NoError(t, open(t, dir, nil).Close())
	withoutQueue(t, dir)
	db := connect(t, postgresOf(t, dir))
	role := func(rights string) string {
		name := fmt.Sprintf("viscount_test_%d", time.Now().UnixNano())
		for _, statement := range []string{"CREATE ROLE %s", "GRANT USAGE ON SCHEMA test TO %s", "GRANT " + rights + " ON test.outbox TO %s"} {
			_, err := db.Exec(fmt.Sprintf(statement, name))
			require.NoError(t, err)
		}
		t.Cleanup(func() {
			_, err := db.Exec(fmt.Sprintf("DROP OWNED BY %[1]s; DROP ROLE %[1]s", name))
			require.NoError(t, err)
		})
		return "SET ROLE " + name
	}
	program, writer, reader := role("SELECT, INSERT, UPDATE, DELETE"), role("INSERT"), role("SELECT")
	newPrevious(t, dir, program).emit("before")

	st := open(t, dir, nil)
	old := newPrevious(t, dir, program)
	old.emit("after")
	as := func(role, statement string) (affected int64, err error) {
		conn, err := db.Conn(t.Context())
		require.NoError(t, err)
		defer func() {
			_, err := conn.ExecContext(t.Context(), "RESET ROLE")
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		}()
		_, err = conn.ExecContext(t.Context(), role)
		require.NoError(t, err)
		var result sql.Result
		if result, err = conn.ExecContext(t.Context(), statement); err != nil {
			return 0, err
		}
		affected, err = result.RowsAffected()
		return affected, err
	}
	_, err := as(writer, `INSERT INTO test.outbox (event_id, topic, event_type, key, sequence, correlation, occurred_at, payload)
		VALUES ('0123456789abcdef', 'topic', 'product.deleted', 'written', 1, 'c', 0, '{}')`)
	require.NoError(t, err)
	require.Equal(t, int64(3), pending(t, st))
	for statement, n := range map[string]int64{
		"SELECT * FROM test.outbox WHERE done_at IS NULL": 3, "SELECT * FROM test.outbox_next(0, 9)": 3, "SELECT * FROM test.outbox_backlog()": 1,
	} {
		affected, err := as(reader, statement)
		require.NoError(t, err, statement)
		require.Equal(t, n, affected, statement)
	}
	_, err = as(reader, "DELETE FROM test.outbox_queue")
	require.ErrorContains(t, err, "permission denied")
	require.Equal(t, []string{"before", "after", "written"}, old.publish())
	require.Zero(t, pending(t, st))
	old.emit("pruned")
	affected, err := as(program, "DELETE FROM test.outbox")
	require.NoError(t, err)
	require.Equal(t, int64(4), affected)
	require.Zero(t, pending(t, st))
}

// TestRowsThatSomebodyDeletesLeaveTheQueue, also more of them than the relay reads at once. Seen red without the trigger.
func TestRowsThatSomebodyDeletesLeaveTheQueue(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	st := open(t, dir, nil)
	db := connect(t, postgresOf(t, dir))
	emit(t, st, "gone", 600)
	_, err := db.Exec("DELETE FROM test.outbox_rows")
	require.NoError(t, err)
	var n int
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM test.outbox_queue").Scan(&n))
	require.Zero(t, n)
	emit(t, st, "kept", 1)
	p := newTransport(nil)
	stop := relay(t, st, p)
	quiet(t, st)
	stop()
	require.Len(t, p.taken["kept"], 1)
}

// planning is a session whose statistics and plans grow old, since nothing renews them.
type planning struct {
	t  *testing.T
	db *sql.DB
}

func newPlanning(t *testing.T) planning {
	t.Helper()
	dir := t.TempDir()
	open(t, dir, nil)
	p := planning{t, connect(t, postgresOf(t, dir))}
	p.db.SetMaxOpenConns(1)
	p.exec("SET search_path TO test")
	p.exec("ALTER TABLE outbox_queue SET (autovacuum_enabled = false)")
	p.exec("ALTER TABLE outbox_rows SET (autovacuum_enabled = false)")
	return p
}

func (p planning) exec(query string, args ...any) {
	p.t.Helper()
	_, err := p.db.Exec(query, args...)
	require.NoError(p.t, err)
}

func (p planning) queue(from, to int) {
	p.t.Helper()
	p.exec("INSERT INTO outbox_queue SELECT generate_series($1::bigint, $2::bigint)", from, to)
}

func (p planning) enter(from, to int) {
	p.t.Helper()
	p.exec(`INSERT INTO outbox_rows (id, event_id, topic, event_type, key, correlation, occurred_at, payload, done_at)
		SELECT id, decode(lpad(id::text, 32, '0'), 'hex'), 'topic', 'product.deleted', 'k', 'c', 0, '{}', 0 FROM generate_series($1::bigint, $2::bigint) AS id`, from, to)
}

// blocks tells how many a query visits when the session has run it before.
func (p planning) blocks(query string) int {
	p.t.Helper()
	p.exec(query)
	var plan []byte
	require.NoError(p.t, p.db.QueryRow("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+query).Scan(&plan))
	var explained []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	require.NoError(p.t, json.Unmarshal(plan, &explained))
	return explained[0].Plan.Hit + explained[0].Plan.Read
}

// TestTheQueueIsReadByItsIndex: what the planner knows is from when the queue was almost empty. Seen red without
// the settings of outbox_next.
func TestTheQueueIsReadByItsIndex(t *testing.T) {
	onlyPostgres(t)
	p := newPlanning(t)
	const many = 300_000
	p.queue(1, many)
	p.exec("DELETE FROM outbox_queue WHERE id <= $1", many-100)
	p.exec("ANALYZE outbox_queue")
	p.enter(many+1, many+1000) // more are not read
	next := fmt.Sprintf("SELECT id FROM outbox_next(%d, 512)", many)
	p.queue(many+1, many+10_000)
	few := p.blocks(next)
	p.queue(many+10_001, 2*many)
	p.exec("DISCARD PLANS")
	require.InDelta(t, few, p.blocks(next), 50, "the same for 10,000 rows as for 300,000")
	require.Less(t, few, 5*512)
}

// TestOnlyWhatIsQueuedIsRead. Seen red with joins that the planner may turn round, and without enable_seqscan = off.
func TestOnlyWhatIsQueuedIsRead(t *testing.T) {
	onlyPostgres(t)
	t.Run("after a long queue", func(t *testing.T) {
		p := newPlanning(t)
		p.enter(1, 20_000)
		p.queue(10_001, 20_000)
		p.exec("ANALYZE")
		p.exec("DELETE FROM outbox_queue WHERE id <= 19990")
		require.Less(t, p.blocks("SELECT topic FROM outbox_backlog()"), 150)
	})
	t.Run("after a short outbox", func(t *testing.T) {
		p := newPlanning(t)
		p.enter(1, 5)
		p.queue(1, 5)
		p.exec("ANALYZE")
		queries := []string{"SELECT topic FROM outbox_backlog()", "SELECT id FROM outbox_next(0, 2000)"}
		const taken = "SELECT outbox_taken(ARRAY[-1])"
		for _, query := range append(queries, taken) {
			for range 4 { // then a plan is kept
				p.blocks(query)
			}
		}
		p.enter(6, 2000)
		p.queue(6, 2000)
		for _, query := range queries {
			require.Less(t, p.blocks(query), 5*2000, query)
		}
		p.queue(2001, 20_000)
		require.Less(t, p.blocks(taken), 20)
	})
}
