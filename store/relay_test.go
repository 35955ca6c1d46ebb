package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/store"
)

// transport takes rows as it is told to and remembers them.
type transport struct {
	mu     sync.Mutex
	taken  map[string][]int64 // sequences by key, repetitions included
	rounds map[int64]int      // calls by round
	answer func(round int64, rows []store.Row) error
}

func (p *transport) publish(_ context.Context, round int64, rows []store.Row) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rounds == nil {
		p.rounds = map[int64]int{}
	}
	p.rounds[round]++
	if p.answer != nil {
		if err := p.answer(round, rows); err != nil {
			return err
		}
	}
	for _, row := range rows {
		p.taken[row.Key] = append(p.taken[row.Key], row.Sequence)
	}
	return nil
}

func (p *transport) count() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, sequences := range p.taken {
		n += len(sequences)
	}
	return n
}

func newTransport(answer func(round int64, rows []store.Row) error) *transport {
	return &transport{taken: map[string][]int64{}, answer: answer}
}

// relay runs the store's relay until the returned function is called.
func relay(t *testing.T, st *store.Store, p *transport) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		st.Relay(ctx, p.publish)
	}()
	return func() {
		cancel()
		<-done
	}
}

func emit(t *testing.T, st *store.Store, key string, n int) {
	t.Helper()
	require.NoError(t, st.Do(t.Context(), func(_ context.Context, tx *store.Tx) error {
		for range n {
			if err := tx.Emit(deleted(key)); err != nil {
				return err
			}
		}
		return nil
	}))
}

func pending(t *testing.T, st *store.Store) int64 {
	t.Helper()
	status, err := st.Status(t.Context())
	require.NoError(t, err)
	return status.OutboxPending
}

func quiet(t *testing.T, st *store.Store) {
	t.Helper()
	require.Eventually(t, func() bool { return pending(t, st) == 0 }, 20*time.Second, 5*time.Millisecond)
}

func requireOrdered(t *testing.T, p *transport) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, sequences := range p.taken {
		require.True(t, slices.IsSorted(sequences), "key %s: %v", key, sequences)
	}
}

func TestTheRelayPublishesWhatACrashLeftAndWhatCommitsBring(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir, nil)
	for i := range 50 {
		emit(t, st, fmt.Sprint("key_", i%7), 3)
	}
	require.NoError(t, st.Close())
	st = open(t, dir, nil)
	p := newTransport(nil)
	stop := relay(t, st, p)
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() { emit(t, st, fmt.Sprint("key_", i%7), 3) })
	}
	all.Wait()
	quiet(t, st)
	stop()
	require.Equal(t, 300, p.count(), "each once")
	requireOrdered(t, p)
}

func TestAFailingTransportHoldsItsKeyAndNoOther(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	failures := 3
	p := newTransport(func(_ int64, rows []store.Row) error {
		if rows[0].Key == "bad" && failures > 0 {
			failures--
			return errors.New("unreachable")
		}
		return nil
	})
	defer relay(t, st, p)()
	emit(t, st, "bad", 1)
	emit(t, st, "bad", 2)
	emit(t, st, "good", 2)
	quiet(t, st)
	require.Equal(t, []int64{1, 2, 3}, p.taken["bad"])
	require.Equal(t, []int64{1, 2}, p.taken["good"])
}

func TestRowsLeftBehindComeInALaterRoundInOrder(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	p := newTransport(func(round int64, rows []store.Row) error {
		if rows[0].Key == "slow" && round < 2 {
			if rows[0].Again != (round > 0) {
				t.Errorf("round %d: again is %t", round, rows[0].Again)
			}
			return store.ErrLeftBehind
		}
		return nil
	})
	stop := relay(t, st, p)
	defer stop()
	for range 5 {
		emit(t, st, "slow", 1)
		emit(t, st, "fast", 1)
	}
	require.Eventually(t, func() bool { return pending(t, st) == 5 }, 10*time.Second, 5*time.Millisecond, "the others go on")
	quiet(t, st)
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Equal(t, []int64{1, 2, 3, 4, 5}, p.taken["slow"])
	require.Equal(t, []int64{1, 2, 3, 4, 5}, p.taken["fast"], "what was taken is not published again")
	require.Contains(t, p.rounds, int64(2))
}

func TestARelayThatStopsLeavesItsRowsForTheNext(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir, nil)
	stop := relay(t, st, newTransport(func(int64, []store.Row) error { return errors.New("unreachable") }))
	emit(t, st, "key", 2)
	stop()
	require.Equal(t, int64(2), pending(t, st))
	require.NoError(t, st.Close())
	st = open(t, dir, nil)
	p := newTransport(nil)
	defer relay(t, st, p)()
	quiet(t, st)
	require.Equal(t, []int64{1, 2}, p.taken["key"])
}

func TestABacklogThatOutgrowsMemoryWaitsInTheTable(t *testing.T) {
	const keys, rounds, each = 50, 20, 20 // 20,000 rows, more than the relay holds
	st := open(t, t.TempDir(), nil)
	block := make(chan struct{})
	p := newTransport(nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		st.Relay(ctx, func(ctx context.Context, round int64, rows []store.Row) error {
			select {
			case <-block:
			case <-ctx.Done():
				return ctx.Err()
			}
			return p.publish(ctx, round, rows)
		})
	}()
	var all sync.WaitGroup
	for k := range keys {
		all.Go(func() {
			for range rounds {
				emit(t, st, fmt.Sprint("key_", k), each)
			}
		})
	}
	all.Wait()
	close(block)
	quiet(t, st)
	cancel()
	<-done
	require.Equal(t, keys*rounds*each, p.count(), "each once")
	requireOrdered(t, p)
}

// TestALostReplyToACommitLosesNothing: the caller is told of a failure, yet the commit happened, and its events go out soon.
func TestALostReplyToACommitLosesNothing(t *testing.T) {
	var lose atomic.Bool
	st := open(t, t.TempDir(), func(o *store.Options) {
		o.Failpoint = func(point string) error {
			if point == "commit.after" && lose.CompareAndSwap(true, false) {
				return errors.New("the connection is gone")
			}
			return nil
		}
	})
	p := newTransport(nil)
	defer relay(t, st, p)()
	emit(t, st, "k", 1)
	quiet(t, st)
	lose.Store(true)
	err := st.Do(t.Context(), func(_ context.Context, tx *store.Tx) error { return tx.Emit(deleted("k")) })
	require.True(t, store.Uncounted(err), "%v", err)
	require.Eventually(t, func() bool { return p.count() == 2 }, 3*time.Second, time.Millisecond, "the relay looks at its table")
}
