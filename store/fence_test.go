package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/store"
)

func TestAnAbandonedHandlerIsFencedAndStopsNobody(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	wake, late := make(chan struct{}), make(chan error, 2)
	err := st.Do(ctx, func(_ context.Context, tx *store.Tx) error {
		if err := note("lost")(context.Background(), tx); err != nil {
			return err
		}
		<-wake // ignores its deadline
		_, err := tx.Exec(context.Background(), "INSERT INTO notes (text) VALUES ('zombie')")
		late <- err
		late <- tx.Emit(deleted("zombie"))
		return nil
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, st.Do(t.Context(), note("next")))
	close(wake)
	require.ErrorIs(t, <-late, store.ErrClosed)
	require.ErrorIs(t, <-late, store.ErrClosed)
	require.Equal(t, []string{"next"}, notes(t, st))
}

// TestARowTellsWhyItIsNone: that of a transaction which has ended, or whose deadline has passed, and of a query that is none.
func TestARowTellsWhyItIsNone(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	ended, expire := context.WithTimeout(t.Context(), 0)
	defer expire()
	scan := func(ctx context.Context, tx *store.Tx, query string) error {
		var n int
		return tx.QueryRow(ctx, query).Scan(&n)
	}
	var late *store.Tx
	var fine, expired, unknown error
	_ = st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		late = tx
		fine, expired, unknown = scan(ctx, tx, "SELECT 1"), scan(ended, tx, "SELECT 1"), scan(ctx, tx, "SELECT nothing")
		return unknown
	})
	require.NoError(t, fine)
	require.ErrorIs(t, expired, context.DeadlineExceeded)
	require.ErrorContains(t, unknown, "nothing")
	require.ErrorIs(t, scan(t.Context(), late, "SELECT 1"), store.ErrClosed)
}

// TestAnAbandonedHandlerLeavesItsGroupAlone: it asks what is parked while another member parks. For the race detector.
func TestAnAbandonedHandlerLeavesItsGroupAlone(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	ctx, cancel := context.WithCancel(t.Context())
	var over atomic.Bool
	defer over.Store(true)
	last := make(chan bool, 1)
	release := hold(t, st)
	abandoned := queue(ctx, t, st, func(_ context.Context, tx *store.Tx) error {
		cancel()
		has := false
		for !over.Load() {
			has = tx.HasParked("k")
			runtime.Gosched()
		}
		last <- has
		return nil
	})
	parks := queue(t.Context(), t, st, func(ctx context.Context, tx *store.Tx) error {
		for n := range 100 {
			p := waits(fmt.Sprint("k", n))
			p.Payload = []byte("{}")
			if err := tx.Park(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	release()
	require.ErrorIs(t, <-abandoned, context.Canceled)
	require.NoError(t, <-parks)
	over.Store(true)
	require.True(t, <-last, "only false is certain")
}

// TestWhoIsStoppedByTheFenceHasOverrunItsDeadline: ErrClosed would count nothing, and the same work would come for ever.
func TestWhoIsStoppedByTheFenceHasOverrunItsDeadline(t *testing.T) {
	st := open(t, t.TempDir(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := st.Do(ctx, func(ctx context.Context, tx *store.Tx) error {
		for {
			if err := note("late")(ctx, tx); errors.Is(err, store.ErrClosed) {
				return fmt.Errorf("noting: %w", err)
			}
			<-ctx.Done()
		}
	})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, store.Uncounted(err))
	require.Empty(t, notes(t, st))
}
