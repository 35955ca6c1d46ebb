package router_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

var sums = fstest.MapFS{"migrations/00001_sums.sql": {Data: []byte(`-- +goose Up
CREATE TABLE sums (event_type TEXT PRIMARY KEY, n BIGINT NOT NULL);
CREATE TABLE notes (note TEXT PRIMARY KEY);
-- +goose Down
DROP TABLE notes;
DROP TABLE sums;
`)}}

// counter is a consumer that counts orders: what is handled twice shows.
type counter struct {
	*routertest.Kit
	failing error
}

func newCounter(t *testing.T) *counter {
	c := &counter{}
	add := func(ctx context.Context, tx *store.Tx, eventType string) error {
		_, err := tx.Exec(ctx, "INSERT INTO sums (event_type, n) VALUES ($1, 1) ON CONFLICT (event_type) DO UPDATE SET n = sums.n + 1", eventType)
		return errors.Join(err, c.failing)
	}
	c.Kit = routertest.New(t, sums,
		router.On(func(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCreated]) error {
			return add(ctx, tx, e.EventType)
		}),
		router.On(func(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCompleted]) error {
			return add(ctx, tx, e.EventType)
		}),
		router.Rebuild{Tables: []string{"sums"}, Kept: []store.Rows{{Table: "notes"}}},
	)
	return c
}

func (c *counter) n() (n int64) {
	c.View(func(ctx context.Context, r store.Reader) error {
		return r.QueryRow(ctx, "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM sums").Scan(&n)
	})
	return n
}

func (c *counter) lose(t *testing.T) {
	c.Do(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE sums SET n = 1000")
		return err
	})
}

func TestARebuildGivesTheSameRows(t *testing.T) {
	c := newCounter(t)
	for _, id := range []string{"o1", "o2", "o3"} {
		c.Receive(created(id))
		c.Receive(completed(id))
	}
	c.WantRebuilt()
	c.lose(t)
	require.Equal(t, router.RebuildDone, c.Rebuild(false).State)
	require.Equal(t, int64(6), c.n())
	c.WantIdempotent()
}

func TestWhatARebuildWasAheadOfIsADuplicateWhenItArrives(t *testing.T) {
	c := newCounter(t)
	c.Receive(created("o1"))
	c.Record(created("o2"))
	require.Equal(t, router.RebuildDone, c.Rebuild(false).State)
	require.Equal(t, int64(2), c.n(), "the new projection has heard of it already")
	c.Arrive()
	require.Equal(t, int64(2), c.n())
	c.WantRebuilt()
}

func TestWhatIsHandledDuringARebuildIsNotLost(t *testing.T) {
	c := newCounter(t)
	c.Receive(created("o1"))
	reads := 0
	c.AfterRecorded(func() {
		if reads++; reads == 2 { // it has read what there was, and found no more
			c.Receive(created("o2"))
		}
	})
	require.Equal(t, router.RebuildDone, c.Rebuild(false).State)
	require.Equal(t, int64(2), c.n())
}

func TestADeadLetterThatTheRebuildAppliesHasEnded(t *testing.T) {
	c := newCounter(t)
	c.failing = errors.New("a bug")
	c.Receive(created("o1"))
	c.WantDeadLetter(router.CodeHandlerFailed)
	require.Equal(t, router.RebuildDone, c.Rebuild(false).State, "what fails in both is no reason to stop")
	c.WantDeadLetter(router.CodeHandlerFailed)

	c.failing = nil
	require.Equal(t, router.RebuildDone, c.Rebuild(false).State)
	c.WantApplied()
	require.Equal(t, int64(1), c.n())
	c.WantIdempotent()
}

func TestARebuildThatFailsLeavesTheOldProjection(t *testing.T) {
	c := newCounter(t)
	c.Receive(created("o1"))
	c.failing = errors.New("a new bug")
	standing := c.Rebuild(false)
	require.Equal(t, router.RebuildFailed, standing.State)
	require.Contains(t, standing.Detail, "a new bug")
	require.Equal(t, int64(1), c.n())
}

func TestWhatIsNoLongerRecordedIsNotLostByAccident(t *testing.T) {
	c := newCounter(t)
	c.Receive(created("o1"))
	c.Receive(completed("o1"))
	c.Forget("order.created")
	standing := c.Rebuild(false)
	require.Equal(t, router.RebuildFailed, standing.State)
	require.Contains(t, standing.Detail, "1 of the 2 events that test has handled are no longer recorded")
	require.Equal(t, int64(2), c.n())
	require.Equal(t, router.RebuildDone, c.Rebuild(true).State)
	require.Equal(t, int64(1), c.n(), "its predecessor, which is gone, is not waited for")
}

func TestWhatNoEventBringsBackMustNotChangeMeanwhile(t *testing.T) {
	c := newCounter(t)
	note := func(text string) {
		c.Do(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO notes (note) VALUES ($1)", text)
			return err
		})
	}
	note("closed")
	c.Receive(created("o1"))
	require.Equal(t, router.RebuildDone, c.Rebuild(false).State)
	reads := 0
	c.AfterRecorded(func() {
		if reads++; reads == 2 {
			note("closed meanwhile")
		}
	})
	standing := c.Rebuild(false)
	require.Equal(t, router.RebuildFailed, standing.State)
	require.Contains(t, standing.Detail, "notes changed during the rebuild")
}

// TestARebuildNeverRepeatsOutsideEffects has a handler do everything that leaves a projection: an event, a job that asks the
// world, and one that is due later. In the rebuild the shadow swallows them all.
func TestARebuildNeverRepeatsOutsideEffects(t *testing.T) {
	asked := map[string]int{}
	kit := routertest.New(t, sums,
		router.On(func(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCreated]) error {
			_, err := tx.Exec(ctx, "INSERT INTO sums (event_type, n) VALUES ($1, 1) ON CONFLICT (event_type) DO UPDATE SET n = sums.n + 1", e.EventType)
			id := e.Data.OrderID
			return errors.Join(err,
				tx.Emit(events.ProductOutOfStock{ProductID: "of_" + id, LocationID: "main"}),
				tx.Enqueue(ctx, store.Job{Kind: "mail", Name: id, Key: id, Payload: id}),
				tx.Enqueue(ctx, store.Job{Kind: "mail", Name: id + "/later", Key: id, Payload: id + "/later", Due: tx.Now().Add(time.Hour)}))
		}),
		router.Call("mail", func(_ context.Context, id string) (bool, error) { asked[id]++; return true, nil },
			func(ctx context.Context, tx *store.Tx, id string, _ bool) error {
				_, err := tx.Exec(ctx, "INSERT INTO notes (note) VALUES ($1)", id)
				return err
			}),
		router.Rebuild{Tables: []string{"sums"}},
	)
	kit.Receive(created("o1"))
	kit.WantOnly(events.ProductOutOfStock{ProductID: "of_o1", LocationID: "main"})
	leaves := func() (n [3]int64) {
		kit.View(func(ctx context.Context, r store.Reader) (err error) {
			for i, table := range []string{"outbox", "jobs", "notes"} {
				if n[i], err = store.CountRows(ctx, r, store.Rows{Table: table}); err != nil {
					return err
				}
			}
			return nil
		})
		return n
	}
	before := leaves()
	require.Equal(t, map[string]int{"o1": 1}, asked)
	require.Equal(t, [3]int64{1, 1, 1}, before, "an event, the job that is due later, and the note of the one that ran")

	kit.Record(created("o2")) // the rebuild hears of it first
	require.Equal(t, router.RebuildDone, kit.Rebuild(false).State)
	kit.Settle()
	require.Equal(t, before, leaves())
	require.Equal(t, map[string]int{"o1": 1}, asked)
	kit.Advance(2 * time.Hour)
	require.Equal(t, map[string]int{"o1": 1, "o1/later": 1}, asked, "what the old projection planned is done once")
}

func TestAServiceThatDeclaresNoRebuildIsToldSo(t *testing.T) {
	kit := routertest.New(t, sums, router.On(func(context.Context, *store.Tx, events.Event[events.OrderCreated]) error { return nil }))
	_, err := kit.Service().StartRebuild(t.Context(), nil, false)
	var refused *router.NotRebuiltError
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "declares no Rebuild in app/routes.go")
}
