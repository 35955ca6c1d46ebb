package store_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/store/postgrestest"
)

// database is what the tests run on. They are one suite for both.
var database = "sqlite"

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if err := postgrestest.Available(); err == nil && !testing.Short() {
		fmt.Println("the same tests on PostgreSQL")
		database = "postgres"
		code = max(code, m.Run())
		postgrestest.Stop()
	} else {
		fmt.Println("not run on PostgreSQL:", err)
		if os.Getenv("REQUIRE_BROKERS") != "" {
			code = max(code, 1)
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// databases are the PostgreSQL databases that stand for folders, so that a test opens one again by the folder's name.
var databases sync.Map

func postgresOf(t testing.TB, dir string) string {
	t.Helper()
	if url, known := databases.Load(dir); known {
		return url.(string)
	}
	url := postgrestest.Database(t)
	databases.Store(dir, url)
	return url
}

// onlySQLite skips what is about its file.
func onlySQLite(t testing.TB) {
	t.Helper()
	if database != "sqlite" {
		t.Skip("about SQLite's file")
	}
}

var tables = fstest.MapFS{"migrations/00001_test.sql": {Data: []byte("-- +goose Up\nCREATE TABLE notes (id {{serial}}, text TEXT NOT NULL UNIQUE);\n-- +goose Down\nDROP TABLE notes;\n")}}

func open(t testing.TB, dir string, change func(*store.Options)) *store.Store {
	t.Helper()
	o := store.Options{Service: "test", Dir: dir, Catalogue: events.Platform(), Migrations: tables, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if database == "postgres" {
		o.Postgres.URL = postgresOf(t, dir)
	}
	if change != nil {
		change(&o)
	}
	st, err := store.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	return st
}

func note(text string) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO notes (text) VALUES ($1)", text)
		return err
	}
}

func notes(t testing.TB, st *store.Store) (texts []string) {
	t.Helper()
	require.NoError(t, st.View(t.Context(), func(ctx context.Context, r store.Reader) (err error) {
		texts, err = store.All(ctx, r, func(s store.Scanner) (text string, err error) { return text, s.Scan(&text) }, "SELECT text FROM notes ORDER BY id")
		return err
	}))
	return texts
}

func deleted(key string) events.ProductDeleted { return events.ProductDeleted{ProductID: key} }

func recorded(t testing.TB, st *store.Store) (rows []store.Row) {
	t.Helper()
	require.NoError(t, st.View(t.Context(), func(ctx context.Context, r store.Reader) (err error) {
		rows, err = store.Recorded(ctx, r, 0, 100_000)
		return err
	}))
	return rows
}

// hold keeps the committer busy until release is called, so that what is queued meanwhile shares a commit.
func hold(t *testing.T, st *store.Store) (release func()) {
	t.Helper()
	began, proceed, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- st.Do(t.Context(), func(context.Context, *store.Tx) error {
			close(began)
			<-proceed
			return nil
		})
	}()
	<-began
	return func() {
		close(proceed)
		require.NoError(t, <-ended)
	}
}

// queue begins a transaction behind those that wait.
func queue(ctx context.Context, t *testing.T, st *store.Store, fn func(context.Context, *store.Tx) error) <-chan error {
	t.Helper()
	queued, ended := st.Queued(), make(chan error, 1)
	go func() { ended <- st.Do(ctx, fn) }()
	require.Eventually(t, func() bool { return st.Queued() > queued }, 5*time.Second, time.Millisecond)
	return ended
}

// together runs transactions that share a commit.
func together(t *testing.T, st *store.Store, members ...func(context.Context, *store.Tx) error) (errs []error) {
	t.Helper()
	release := hold(t, st)
	var ends []<-chan error
	for _, m := range members {
		ends = append(ends, queue(t.Context(), t, st, m))
	}
	release()
	for _, ended := range ends {
		errs = append(errs, <-ended)
	}
	return errs
}

func TestAGroupSharesACommitAndAFailureIsItsOwn(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	before, _ := st.Commits()
	boom := errors.New("boom")
	errs := together(t, st, note("a"),
		func(ctx context.Context, tx *store.Tx) error {
			require.NoError(t, note("lost")(ctx, tx))
			require.NoError(t, tx.Emit(deleted("lost")))
			return boom
		},
		note("b"),
		func(context.Context, *store.Tx) error { panic("a handler's panic") },
		note("c"))
	after, _ := st.Commits()
	require.Equal(t, int64(2), after-before, "one commit for the first, one for the five that waited")
	require.Equal(t, []string{"a", "b", "c"}, notes(t, st))
	require.ErrorIs(t, errs[1], boom)
	var panicked *store.PanicError
	require.ErrorAs(t, errs[3], &panicked)
	require.NotEmpty(t, panicked.Stack)
	require.NoError(t, errors.Join(errs[0], errs[2], errs[4]))
	require.Empty(t, recorded(t, st), "nothing of the member that failed is emitted")
}

func TestALostGroupIsRunAgainOneByOne(t *testing.T) {
	var failures atomic.Int32
	st := open(t, t.TempDir(), func(o *store.Options) {
		o.Failpoint = func(point string) error {
			if point == "commit.before" && failures.Add(-1) == 0 {
				return errors.New("the disk hiccups")
			}
			return nil
		}
	})
	failures.Store(2) // the first commit is the one that holds the group back
	errs := together(t, st, note("a"), note("b"), note("c"))
	require.NoError(t, errors.Join(errs...), "no member is to blame")
	require.ElementsMatch(t, []string{"a", "b", "c"}, notes(t, st))
}

func TestADatabaseFailureIsNobodysAttempt(t *testing.T) {
	broken := atomic.Bool{}
	st := open(t, t.TempDir(), func(o *store.Options) {
		o.Failpoint = func(string) error {
			if broken.Load() {
				return errors.New("no space left on device")
			}
			return nil
		}
	})
	broken.Store(true)
	err := st.Do(t.Context(), note("a"))
	require.True(t, store.Uncounted(err))
	require.ErrorContains(t, err, "no space left")
	require.Empty(t, notes(t, st))
	broken.Store(false)
	require.NoError(t, st.Do(t.Context(), note("a")))
}

func TestSequencesHaveNoHolesPerKey(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			err := st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				for _, key := range []string{"b", "a", "b"} {
					if err := tx.Emit(deleted(key)); err != nil {
						return err
					}
				}
				if i%4 == 0 {
					return store.Ignore("rolled back")
				}
				return nil
			})
			if i%4 != 0 && err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	next := map[string]int64{}
	for _, row := range recorded(t, st) {
		next[row.Key]++
		require.Equal(t, next[row.Key], row.Sequence, "key %s", row.Key)
	}
	require.Equal(t, map[string]int64{"a": 30, "b": 60}, next)
}

func TestEmitNamesTheFieldAndFillsTheEnvelope(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	ctx := store.WithOrigin(t.Context(), store.Origin{CorrelationID: "corr_1", CausationID: "cause_1"})
	err := st.Do(ctx, func(_ context.Context, tx *store.Tx) error { return tx.Emit(events.ProductDeleted{}) })
	require.ErrorContains(t, err, "/data/product_id")
	require.NoError(t, st.Do(ctx, func(_ context.Context, tx *store.Tx) error {
		return errors.Join(tx.Emit(deleted("p")), tx.For("corr_2").Emit(deleted("q")))
	}))
	rows := recorded(t, st)
	require.Len(t, rows, 2)
	require.Equal(t, []string{"corr_1", "corr_2"}, []string{rows[0].CorrelationID, rows[1].CorrelationID})
	require.Equal(t, "cause_1", rows[0].CausationID)
	require.Equal(t, uuid.Version(7), rows[0].EventID.Version())
	d, err := events.Platform().Decode(rows[0].Payload)
	require.NoError(t, err)
	require.Equal(t, rows[0].EventID, d.Envelope.EventID)
}

func TestASecondProcessIsToldWhoHoldsTheFile(t *testing.T) {
	onlySQLite(t)
	dir := t.TempDir()
	open(t, dir, nil)
	_, err := store.Open(t.Context(), store.Options{Service: "test", Dir: dir, Catalogue: events.Platform()})
	var held *store.HeldError
	require.ErrorAs(t, err, &held)
	require.Contains(t, held.Error(), fmt.Sprintf("process %d", os.Getpid()))
}

func TestClosedStoresRefuse(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	require.NoError(t, st.Close())
	require.ErrorIs(t, st.Do(t.Context(), note("a")), store.ErrClosed)
}

func TestJobsAreLeasedOnceAndLoseTheirResultWhenTakenOver(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	st := open(t, t.TempDir(), func(o *store.Options) { o.Clock = func() time.Time { return now } })
	for range 2 { // the same name again is the same job
		require.NoError(t, st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.Enqueue(ctx, store.Job{Kind: "k", Name: "n", Key: "key", Due: now.Add(time.Minute), Payload: 1})
		}))
	}
	lease := func() []store.JobRow {
		jobs, err := st.Lease(t.Context(), 10, time.Minute)
		require.NoError(t, err)
		return jobs
	}
	require.Empty(t, lease())
	now = now.Add(time.Minute)
	first := lease()
	require.Len(t, first, 1)
	require.Empty(t, lease(), "a leased job is nobody else's")
	now = now.Add(2 * time.Minute)
	second := lease()
	require.Len(t, second, 1, "a runner that died loses its lease")
	finish := func(j store.JobRow) error {
		return st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.FinishJob(ctx, j) })
	}
	require.ErrorIs(t, finish(first[0]), store.ErrLeaseLost)
	require.NoError(t, finish(second[0]))
	_, found, err := st.NextJob(t.Context())
	require.NoError(t, err)
	require.False(t, found)
}

func TestPruningMovesTheHorizonAndKeepsWhatMatters(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	st := open(t, dir, func(o *store.Options) { o.Clock = func() time.Time { return now }; o.Source = events.OrdersService })
	arrive := func() uuid.UUID {
		id := uuid.New()
		require.NoError(t, st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, _, err := tx.Arrive(ctx, store.Arrival{EventID: id})
			return errors.Join(err, tx.Emit(events.OrderRefundRequested{OrderID: "o", RefundAmount: 1, RefundReason: "r", RequestedBy: "staff", RequestedAt: now}))
		}))
		return id
	}
	old := arrive()
	require.NoError(t, st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Settle(ctx, arriveIn(ctx, t, tx), store.Dead, 1, "x")
	}))
	now = now.Add(48 * time.Hour)
	young := arrive()
	require.True(t, st.Horizon().IsZero())
	_, err := st.Prune(t.Context(), store.Retention{Inbox: 24 * time.Hour, Outbox: 24 * time.Hour})
	require.NoError(t, err)
	require.Equal(t, now.Add(-24*time.Hour), st.Horizon())
	require.NoError(t, st.View(t.Context(), func(ctx context.Context, r store.Reader) error {
		found, err := store.Deliveries(ctx, r, []uuid.UUID{old, young})
		require.NotContains(t, found, old)
		require.Contains(t, found, young)
		return err
	}))
	require.Len(t, recorded(t, st), 2, "what the transport has not taken is kept, however old")
	require.NoError(t, st.Close())
	require.Equal(t, now.Add(-24*time.Hour), open(t, dir, nil).Horizon(), "the horizon outlives a restart")
}

func arriveIn(ctx context.Context, t *testing.T, tx *store.Tx) uuid.UUID {
	id := uuid.New()
	_, fresh, err := tx.Arrive(ctx, store.Arrival{EventID: id})
	require.NoError(t, err)
	require.True(t, fresh)
	return id
}

func TestAnIDWithOtherContentIsAConflict(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	id := uuid.New()
	arrive := func(digest byte) (state store.State, fresh bool, err error) {
		doing := st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			state, fresh, err = tx.Arrive(ctx, store.Arrival{EventID: id, Digest: [16]byte{digest}})
			return nil
		})
		require.NoError(t, doing)
		return state, fresh, err
	}
	_, fresh, err := arrive(1)
	require.NoError(t, err)
	require.True(t, fresh)
	state, fresh, err := arrive(1)
	require.NoError(t, err)
	require.False(t, fresh)
	require.Equal(t, store.Applied, state)
	_, _, err = arrive(2)
	require.ErrorIs(t, err, store.ErrConflict)
}

// BenchmarkCommit compares grouped commits with one commit per transaction, every one flushed.
func BenchmarkCommit(b *testing.B) {
	for _, group := range []int{1, 64} {
		b.Run(fmt.Sprintf("group=%d", group), func(b *testing.B) {
			st := open(b, b.TempDir(), func(o *store.Options) { o.GroupSize = group })
			var n atomic.Int64
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := st.Do(b.Context(), note(fmt.Sprint(n.Add(1)))); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
