package router_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// afterACrash opens a database whose last process did not stop in order.
func afterACrash(t *testing.T, prepare func(ctx context.Context, tx *store.Tx) error, parts ...router.Part) (*router.Service, *store.Store) {
	t.Helper()
	o := store.Options{Service: "test", Dir: t.TempDir(), Catalogue: events.Platform(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	st, err := store.Open(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := prepare(ctx, tx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO runs (id, began_at) VALUES ('dead', 1)")
		return err
	}))
	require.NoError(t, st.Close())
	st, err = store.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	s, err := router.NewService(t.Context(), router.Assemble("test", nil, parts...), st, router.Options{Logger: o.Logger, Settings: router.Settings{Suspects: 30}})
	require.NoError(t, err)
	return s, st
}

func orderMessage(t *testing.T, order string, at time.Time) *message.Message {
	t.Helper()
	id := uuid.Must(uuid.NewV7())
	raw, err := events.Encode(events.Envelope{EventID: id, CorrelationID: "c", Timestamp: at, SourceService: events.OrdersService, EventVersion: "1.0", EventType: "order.created"}, created(order))
	require.NoError(t, err)
	return message.NewMessage(id.String(), raw)
}

func suspectsOf(t *testing.T, st *store.Store) (n int) {
	require.NoError(t, st.View(t.Context(), func(ctx context.Context, r store.Reader) error {
		return r.QueryRow(ctx, "SELECT COUNT(*) FROM suspects").Scan(&n)
	}))
	return n
}

func TestAfterAnUncleanStopOldEventsRunAloneWithTheirAttemptStored(t *testing.T) {
	var st *store.Store
	var mu sync.Mutex
	stored := map[string]int{}
	s, st := afterACrash(t, func(context.Context, *store.Tx) error { return nil }, router.On(func(_ context.Context, _ *store.Tx, e events.Event[events.OrderCreated]) error {
		n := suspectsOf(t, st)
		mu.Lock()
		defer mu.Unlock()
		stored[e.Data.OrderID] = n
		return nil
	}))
	topic := created("").Contract().Topic()
	deliver := func(msg *message.Message) { require.NoError(t, s.Deliver(t.Context(), topic, msg)) }
	old, future := time.Now().Add(-time.Minute), time.Now().Add(48*time.Hour)
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() { deliver(orderMessage(t, fmt.Sprintf("old%d", n), old)) })
		all.Go(func() { deliver(orderMessage(t, fmt.Sprintf("new%d", n), time.Now())) })
	}
	all.Wait()
	deliver(orderMessage(t, "future", future))
	for n := range 20 {
		require.Equal(t, 1, stored[fmt.Sprintf("old%d", n)])
		require.Zero(t, stored[fmt.Sprintf("new%d", n)], "it cannot have been in the dead process's hands")
	}
	require.Equal(t, 1, stored["future"], "its timestamp tells nothing")
	require.Zero(t, suspectsOf(t, st))
	for n := range 10 { // those that the process may have had in hand have come
		deliver(orderMessage(t, fmt.Sprintf("more%d", n), old))
	}
	require.Equal(t, 1, stored["more8"])
	require.Zero(t, stored["more9"])
}

func TestAnEventThatEndsEveryProcessIsADeadLetter(t *testing.T) {
	poison := orderMessage(t, "poison", time.Now().Add(-time.Minute))
	calls := 0
	for crashes := range 7 {
		s, st := afterACrash(t, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO suspects (subject, crashes, run, at) VALUES ($1, $2, 'dead', 1)", "event/"+poison.UUID, crashes)
			return err
		}, router.On(func(context.Context, *store.Tx, events.Event[events.OrderCreated]) error {
			calls++
			return nil
		}))
		topic := created("").Contract().Topic()
		require.NoError(t, s.Deliver(t.Context(), topic, poison.Copy()))
		require.Zero(t, suspectsOf(t, st))
		var letters []store.Parked
		require.NoError(t, st.View(t.Context(), func(ctx context.Context, r store.Reader) (err error) {
			letters, err = store.DeadLetters(ctx, r, uuid.MustParse(poison.UUID))
			return err
		}))
		if crashes < 4 { // this is the fifth process with it in hand
			require.Empty(t, letters)
			continue
		}
		require.Len(t, letters, 1)
		require.Equal(t, []any{router.CodeCrashLoop, true, crashes + 1}, []any{letters[0].Code, letters[0].Held, letters[0].Attempts})
	}
	require.Equal(t, 4, calls)
}

// leftJob stores a job that a process had in hand when it ended, the second one to end lately.
func leftJob(ctx context.Context, tx *store.Tx, crashes int) error {
	if err := tx.Enqueue(ctx, store.Job{Kind: "ask", Name: "n", Key: "k", Payload: 1}); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE jobs SET lease = $1, due = $2", []byte("dead"), time.Now().Add(time.Hour).UnixMicro()); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "INSERT INTO runs (id, began_at) VALUES ('before', 1)"); err != nil || crashes < 0 {
		return err
	}
	_, err := tx.Exec(ctx, "INSERT INTO suspects (subject, crashes, run, at) VALUES ('job/ask/n', $1, 'dead', 1)", crashes)
	return err
}

func TestAJobThatEndsEveryProcessIsADeadLetter(t *testing.T) {
	calls := 0
	for crashes := -1; crashes < 7; crashes++ {
		var st *store.Store
		s, opened := afterACrash(t, func(ctx context.Context, tx *store.Tx) error { return leftJob(ctx, tx, crashes) },
			router.Call("ask", func(context.Context, int) (int, error) {
				calls++
				require.Equal(t, 1, suspectsOf(t, st), "its attempt is stored first")
				return 0, nil
			}, func(context.Context, *store.Tx, int, int) error { return nil }))
		st = opened
		ran, err := s.RunDueJobs(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, ran)
		require.Zero(t, suspectsOf(t, st))
		var letters []store.DeadLetter
		require.NoError(t, st.View(t.Context(), func(ctx context.Context, r store.Reader) (err error) {
			letters, err = store.LatestLetters(ctx, r, store.LetterFilter{}, nil, 10)
			return err
		}))
		if crashes < 4 { // this is the fifth process with it in hand
			require.Empty(t, letters)
			continue
		}
		require.Len(t, letters, 1)
		require.Equal(t, []any{router.CodeCrashLoop, "ask", crashes + 1}, []any{letters[0].Code, letters[0].Type, letters[0].Attempts})
	}
	require.Equal(t, 5, calls)
}
