package store_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/store/postgrestest"
)

// onlyPostgres skips what is about instances that share a database.
func onlyPostgres(t testing.TB) {
	t.Helper()
	if database != "postgres" {
		t.Skip("about a database that instances share")
	}
}

func connect(t testing.TB, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// TestTwoInstancesNeverWorkOnOneKeyAtOnce is the lock of design.md's guarantee 4. Seen red without lockAll.
func TestTwoInstancesNeverWorkOnOneKeyAtOnce(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	instances := []*store.Store{open(t, dir, nil), open(t, dir, nil)}
	var working [4]atomic.Int32
	var overlaps, runs atomic.Int32
	var all sync.WaitGroup
	for n := range 200 {
		key, instance := n%len(working), instances[n/len(working)%2] // both get every key
		all.Go(func() {
			err := instance.DoKey(t.Context(), fmt.Sprint("key", key), func(ctx context.Context, tx *store.Tx) error {
				if working[key].Add(1) > 1 {
					overlaps.Add(1)
				}
				_, err := tx.Exec(ctx, "SELECT pg_sleep(0.001)")
				working[key].Add(-1)
				runs.Add(1)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Zero(t, overlaps.Load(), "two transactions worked on a key at the same time")
	require.GreaterOrEqual(t, runs.Load(), int32(200))
}

// TestLocksTakenInsideNeverDeadlock: members lock two of a few keys in any order, as orders lock their products.
func TestLocksTakenInsideNeverDeadlock(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	instances := []*store.Store{open(t, dir, nil), open(t, dir, nil)}
	require.NoError(t, instances[0].Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, "CREATE TABLE shelves (id INTEGER PRIMARY KEY, n BIGINT NOT NULL)")
		if err == nil {
			_, err = tx.Exec(ctx, "INSERT INTO shelves SELECT i, 0 FROM generate_series(0, 4) AS i")
		}
		return err
	}))
	var all sync.WaitGroup
	for n := range 400 {
		all.Go(func() {
			a, b := n%5, (n+1+n%4)%5
			err := instances[n%2].DoKey(t.Context(), fmt.Sprint("order", n), func(ctx context.Context, tx *store.Tx) error {
				if err := tx.Lock(ctx, fmt.Sprint("shelf", a)); err != nil {
					return err
				}
				if err := tx.Lock(ctx, fmt.Sprint("shelf", b)); err != nil {
					return err
				}
				for _, id := range []int{a, b} {
					var was int64
					if err := tx.QueryRow(ctx, "SELECT n FROM shelves WHERE id = $1", id).Scan(&was); err != nil {
						return err
					}
					if _, err := tx.Exec(ctx, "UPDATE shelves SET n = $1 WHERE id = $2", was+1, id); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.NoError(t, instances[0].View(t.Context(), func(ctx context.Context, r store.Reader) error {
		var sum int64
		err := r.QueryRow(ctx, "SELECT SUM(n) FROM shelves").Scan(&sum)
		require.Equal(t, int64(800), sum, "no change was lost")
		return err
	}))
}

func inOrder(t *testing.T, p *transport, key string, n int) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	last := int64(0)
	for _, sequence := range p.taken[key] {
		require.LessOrEqual(t, sequence, last+1, "key %s: nothing is skipped", key)
		last = max(last, sequence)
	}
	require.Equal(t, int64(n), last, "key %s: all of it came", key)
}

// TestOneInstanceLeadsTheRelayAndAnotherTakesOver: what several instances commit is published by one, in order per key.
func TestOneInstanceLeadsTheRelayAndAnotherTakesOver(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	a, b := open(t, dir, nil), open(t, dir, nil)
	p := newTransport(nil)
	stopA := relay(t, a, p)
	require.Eventually(t, a.Leading, 10*time.Second, time.Millisecond)
	stopB := relay(t, b, p)
	for n := range 50 {
		for _, st := range []*store.Store{a, b} {
			emit(t, st, "k1", 1)
			emit(t, st, fmt.Sprint("other", n), 2)
		}
	}
	quiet(t, a)
	require.False(t, b.Leading())
	inOrder(t, p, "k1", 100)
	stopA()
	require.Eventually(t, b.Leading, 10*time.Second, time.Millisecond, "the other one takes over")
	emit(t, a, "k1", 5)
	quiet(t, b)
	inOrder(t, p, "k1", 105)
	stopB()
}

// insertLate begins a transaction that has taken an outbox id and does not commit.
func insertLate(t *testing.T, db *sql.DB, key string) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.Exec(`INSERT INTO test.outbox (event_id, topic, event_type, key, sequence, correlation, occurred_at, payload) VALUES ($1, 'topic', 'product.deleted', $2, 1, 'c', 0, '{}')`,
		[]byte(key + "0123456789abcdef")[:16], key)
	require.NoError(t, err)
	return tx
}

// TestNoCommitOrderHidesARow: a transaction of somebody else that took its id early and commits late.
func TestNoCommitOrderHidesARow(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	st := open(t, dir, nil)
	p := newTransport(nil)
	defer relay(t, st, p)()
	late := insertLate(t, connect(t, postgresOf(t, dir)), "late")
	emit(t, st, "k", 3)
	quiet(t, st)
	inOrder(t, p, "k", 3)
	require.NoError(t, late.Commit())
	require.Eventually(t, func() bool { return p.count() == 4 }, 20*time.Second, 10*time.Millisecond, "the sweep finds it")
	quiet(t, st)
}

// TestALongTransactionElsewhereHoldsNothingUp: visibility by transaction ids would stall behind it.
func TestALongTransactionElsewhereHoldsNothingUp(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	st := open(t, dir, nil)
	p := newTransport(nil)
	defer relay(t, st, p)()
	db := connect(t, postgresOf(t, dir))
	_, err := db.Exec("CREATE TABLE elsewhere (n INTEGER)")
	require.NoError(t, err)
	long, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = long.Exec("INSERT INTO elsewhere VALUES (1)")
	require.NoError(t, err)
	emit(t, st, "k", 3)
	quiet(t, st)
	inOrder(t, p, "k", 3)
	require.NoError(t, long.Rollback())
}

// TestADumpRestoredIntoANewClusterGoesOn: transaction ids begin anew there; pending rows and later ones are published.
func TestADumpRestoredIntoANewClusterGoesOn(t *testing.T) {
	onlyPostgres(t)
	dump, err := exec.LookPath("pg_dump")
	if err != nil {
		t.Skip("no pg_dump")
	}
	restore, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("no psql")
	}
	old, fresh := t.TempDir(), t.TempDir()
	st := open(t, old, nil)
	db := connect(t, postgresOf(t, old))
	for range 500 { // the old cluster is far ahead of the new one
		_, err := db.Exec("SELECT txid_current()")
		require.NoError(t, err)
	}
	emit(t, st, "k", 3)
	script, err := exec.Command(dump, postgresOf(t, old)).Output()
	require.NoError(t, err)
	databases.Store(fresh, postgrestest.NewCluster(t).URL)
	into := exec.Command(restore, "-q", "-v", "ON_ERROR_STOP=1", postgresOf(t, fresh))
	stdin, err := into.StdinPipe()
	require.NoError(t, err)
	go func() {
		_, _ = stdin.Write(script) // psql's exit tells
		stdin.Close()
	}()
	out, err := into.CombinedOutput()
	require.NoError(t, err, string(out))
	p := newTransport(nil)
	restored := open(t, fresh, nil)
	defer relay(t, restored, p)()
	emit(t, restored, "k", 2)
	quiet(t, restored)
	inOrder(t, p, "k", 5)
}

func TestMigrationsArePlannedCheckedAndAppliedOnce(t *testing.T) {
	dir := t.TempDir()
	o := store.Options{Service: "test", Dir: dir, Catalogue: events.Platform(), Migrations: tables}
	if database == "postgres" {
		o.Postgres.URL = postgresOf(t, dir)
	}
	plan, err := store.Plan(t.Context(), o)
	require.NoError(t, err)
	require.Greater(t, len(plan), 2)
	require.True(t, slices.IsSortedFunc(plan, func(a, b store.Migration) int {
		return cmp.Or(-cmp.Compare(a.Tables, b.Tables), cmp.Compare(a.Name, b.Name))
	}), "as they are applied: %v", plan)
	pending := func(m store.Migration) bool { return m.Applied.IsZero() }
	require.False(t, slices.ContainsFunc(plan, func(m store.Migration) bool { return !pending(m) }))
	o.Migrate = store.MigrateCheck
	_, err = store.Open(t.Context(), o)
	require.ErrorContains(t, err, "viscount migrate apply")
	var all sync.WaitGroup
	var applied atomic.Int32
	for range 3 {
		all.Go(func() {
			done, err := store.Migrate(t.Context(), o)
			if database == "postgres" && err != nil {
				t.Error(err)
			}
			applied.Add(int32(len(done)))
		})
		if database == "sqlite" {
			all.Wait()
		}
	}
	all.Wait()
	require.Positive(t, applied.Load())
	plan, err = store.Plan(t.Context(), o)
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(plan, pending))
	open(t, dir, func(o *store.Options) { o.Migrate = store.MigrateCheck })
}

// TestAStoreKeepsToItsConnections: 24 processes must fit into PostgreSQL's default of 100.
func TestAStoreKeepsToItsConnections(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	st := open(t, dir, nil)
	defer relay(t, st, newTransport(nil))()
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			emit(t, st, "k", 1)
			notes(t, st)
		})
	}
	db := connect(t, postgresOf(t, dir))
	most := 0
	for range 50 {
		var n int
		require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'viscount-test' AND datname = current_database()").Scan(&n))
		most = max(most, n)
	}
	all.Wait()
	require.LessOrEqual(t, most, 3)
	require.LessOrEqual(t, 24*(most+1), 97, "with one of the transport over tables")
}

// TestALostConnectionIsMadeAgain: the work of the moment fails without counting, the next goes on.
func TestALostConnectionIsMadeAgain(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	st := open(t, dir, nil)
	p := newTransport(nil)
	defer relay(t, st, p)()
	emit(t, st, "k", 1)
	db := connect(t, postgresOf(t, dir))
	for range 3 {
		_, err := db.Exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'viscount-test' AND datname = current_database()")
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			return st.Do(t.Context(), func(_ context.Context, tx *store.Tx) error { return tx.Emit(deleted("k")) }) == nil
		}, 10*time.Second, time.Millisecond)
	}
	quiet(t, st)
	inOrder(t, p, "k", 4)
}
