package router_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// An event whose time is over before its turn, behind one that is stuck, has not failed: it comes again.
func TestWhoWaitsBehindAStuckHandlerHasNotFailed(t *testing.T) {
	b := newBench(t, router.Settings{AttemptTimeout: 500 * time.Millisecond})
	stuck, free := make(chan struct{}), make(chan struct{})
	b.created = func(context.Context, *store.Tx) error {
		close(stuck)
		<-free
		return nil
	}
	topic := created("o1").Contract().Topic()
	first, second := orderMessage(t, "o1", b.Now()), orderMessage(t, "o2", b.Now())
	ended := make(chan error, 1)
	go func() { ended <- b.Service().Deliver(t.Context(), topic, first) }()
	<-stuck
	require.ErrorIs(t, b.Service().Deliver(t.Context(), topic, second.Copy()), store.ErrNoTurn)
	require.NoError(t, <-ended, "it is kept as failed")
	close(free)
	require.Len(t, b.letters(), 1, "the stuck one alone")
	b.created = working
	require.NoError(t, b.Service().Deliver(t.Context(), topic, second))
	require.Equal(t, []string{"created o2"}, b.handled())
}

// A handler that the stop cancels has not failed: an arrival comes again as if it had never come, and an event that is tried
// again keeps its attempts. Seen red without context.Canceled in store.Uncounted: the arrival is acknowledged
// and parked as failed.
func TestAHandlerCancelledByTheStopHasNotFailed(t *testing.T) {
	b := newBench(t, router.Settings{DelayedRetries: []time.Duration{0}})
	arrival := orderMessage(t, "o1", b.Now())
	arrive := func(ctx context.Context) error {
		return b.Service().Deliver(ctx, created("o1").Contract().Topic(), arrival.Copy())
	}
	again := func(ctx context.Context) error {
		_, err := b.Service().Recover(ctx)
		return err
	}
	stopped := func(run func(ctx context.Context) error, says error) {
		t.Helper()
		ctx, stop := context.WithCancel(t.Context())
		b.created = func(ctx context.Context, _ *store.Tx) error {
			stop()
			<-ctx.Done()
			return cmp.Or(says, fmt.Errorf("asking the shelf: %w", ctx.Err()))
		}
		calls := b.calls
		require.ErrorIs(t, run(ctx), context.Canceled)
		require.Equal(t, calls+1, b.calls, "it was in the handler, and is not tried again meanwhile")
		require.Empty(t, b.letters())
	}
	stopped(arrive, nil)
	stopped(arrive, store.Permanent(errors.New("interrupted")))
	require.Zero(t, b.count(store.Retrying), "counted as failed")
	b.created = failing
	require.NoError(t, arrive(t.Context()))
	stopped(again, nil)
	stopped(again, errors.New("interrupted"))
	require.EqualValues(t, 1, b.count(store.Retrying))
	var p store.Parked
	b.View(func(ctx context.Context, r store.Reader) (err error) {
		p, _, err = store.ParkedRow(ctx, r, 1)
		return err
	})
	require.Equal(t, 1, p.Attempts, "that of the handler that failed")
	b.created = working
	require.NoError(t, again(t.Context()))
	require.Equal(t, "applied", b.state(p.EventID))
	require.Equal(t, []string{"created o1"}, b.handled())
}

func TestAHandlerThatIgnoresItsDeadlineIsAbandoned(t *testing.T) {
	b := newBench(t, router.Settings{AttemptTimeout: 500 * time.Millisecond})
	wake, woken := make(chan struct{}), make(chan error, 1)
	var first atomic.Bool
	b.created = func(_ context.Context, tx *store.Tx) error {
		if first.Swap(true) {
			return nil
		}
		<-wake
		woken <- tx.Emit(events.ProductDeleted{ProductID: "zombie"})
		return nil
	}
	b.Receive(created("o1"))
	b.WantDeadLetter(router.CodeTimeout)
	b.Receive(created("o2"))
	b.WantApplied()
	close(wake)
	require.ErrorIs(t, <-woken, store.ErrClosed)
	require.Equal(t, []string{"created o2"}, b.handled())
}

// A handler that ends with its deadline, but asks the store once more, has failed as any other: it is tried again, and is a
// dead letter when its retries are spent. So is a job.
func TestWhoAsksTheStoreAfterItsDeadlineHasTimedOut(t *testing.T) {
	attempts := 0
	late := func(ctx context.Context, tx *store.Tx) error {
		attempts++
		for {
			<-ctx.Done()
			if _, err := tx.Exec(ctx, "DELETE FROM handled"); errors.Is(err, store.ErrClosed) {
				return fmt.Errorf("tidying: %w", err)
			}
		}
	}
	b := newBench(t, router.Settings{AttemptTimeout: 300 * time.Millisecond, ImmediateRetries: 1},
		router.Do("tidy", func(ctx context.Context, tx *store.Tx, _ struct{}) error { return late(ctx, tx) }))
	b.created = late
	b.Receive(created("o1"))
	b.WantDeadLetter(router.CodeTimeout)
	require.Equal(t, 2, attempts)

	b.Do(func(ctx context.Context, tx *store.Tx) error {
		return tx.Enqueue(ctx, store.Job{Kind: "tidy", Name: "t"})
	})
	b.Advance(time.Second)
	letters := b.deadLetters(store.LetterFilter{Type: "tidy"})
	require.Len(t, letters, 1)
	require.Equal(t, router.CodeTimeout, letters[0].Code)
	require.Equal(t, 4, attempts)
}
