package store_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/store"
)

// clock is moved by hand.
type clock struct{ now time.Time }

func (c *clock) options(o *store.Options) { o.Clock = func() time.Time { return c.now } }

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// parking parks rows as the router does: the event stands in the inbox.
func parking(t *testing.T, s *store.Store, rows ...store.Parked) {
	t.Helper()
	require.NoError(t, s.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, p := range rows {
			p.EventID, p.Topic, p.OccurredAt, p.Payload = uuid.New(), "t", noon, []byte("{}")
			if _, _, err := tx.Arrive(ctx, store.Arrival{EventID: p.EventID}); err != nil {
				return err
			}
			if err := tx.Settle(ctx, p.EventID, p.State, p.Attempts, p.Code); err != nil {
				return err
			}
			if err := tx.Park(ctx, p); err != nil {
				return err
			}
		}
		return nil
	}))
}

func dead(key, fingerprint string, held bool) store.Parked {
	return store.Parked{EventType: "order.created", Key: key, State: store.Dead, Held: held, Code: "handler_failed", Detail: "broken " + key, Fingerprint: fingerprint, Attempts: 1}
}

func waits(key string) store.Parked {
	return store.Parked{EventType: "order.completed", Key: key, State: store.Waiting, Code: store.WaitHeld}
}

func read[T any](t *testing.T, s *store.Store, query func(ctx context.Context, r store.Reader) (T, error)) (found T) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(ctx context.Context, r store.Reader) (err error) {
		found, err = query(ctx, r)
		return err
	}))
	return found
}

// buried makes a dead letter of a job.
func buried(t *testing.T, s *store.Store, kind, fingerprint string) {
	t.Helper()
	require.NoError(t, s.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Enqueue(ctx, store.Job{Kind: kind, Name: uuid.NewString(), Key: "o1"})
	}))
	jobs, err := s.Lease(t.Context(), 10, time.Minute)
	require.NoError(t, err)
	require.NoError(t, s.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		jobs[0].Attempts = 3
		return tx.BuryJob(ctx, jobs[0], "handler_failed", "no answer", fingerprint)
	}))
}

func TestDeadLettersOfEventsAndJobsAreOneList(t *testing.T) {
	c := &clock{now: noon}
	s := open(t, t.TempDir(), c.options)
	defer func() { require.NoError(t, s.Close()) }()
	parking(t, s, dead("o1", "f1", true), waits("o1"), waits("o1"), dead("o2", "f1", true), dead("o3", "f2", false), waits("o3")) // all at the same time
	c.now = noon.Add(time.Minute)
	buried(t, s, "capture", "f3")
	parking(t, s, dead("o4", "f1", true))

	page := func(f store.LetterFilter, after *store.Position, limit int) (names []string, last store.Position) {
		for _, l := range read(t, s, func(ctx context.Context, r store.Reader) ([]store.DeadLetter, error) {
			return store.LatestLetters(ctx, r, f, after, limit)
		}) {
			names = append(names, fmt.Sprintf("%s %s %d", l.ID, l.Key, l.HeldBehind))
			last = store.Position{At: l.FailedLast, ID: l.ID}
		}
		return names, last
	}
	all, _ := page(store.LetterFilter{}, nil, 10)
	require.Equal(t, []string{"7 o4 0", "j1 o1 0", "1 o1 2", "4 o2 0", "5 o3 0"}, all, "the last failure first; what a released key waits for is not held")
	var paged []string
	for after := (*store.Position)(nil); ; {
		some, last := page(store.LetterFilter{}, after, 2)
		if paged = append(paged, some...); len(some) < 2 {
			break
		}
		after = &last
	}
	require.Equal(t, all, paged, "pages fit together, also within one moment")
	behind, before := store.AfterAll(noon), store.BeforeAll(noon)
	none, _ := page(store.LetterFilter{}, &behind, 10)
	require.Empty(t, none)
	three, _ := page(store.LetterFilter{}, &before, 10)
	require.Len(t, three, 3)

	for name, f := range map[string]store.LetterFilter{
		"type": {Type: "capture"}, "fingerprint": {Fingerprint: "f3"}, "id": {IDs: []store.LetterID{{Job: true, N: 1}}}, "all": {Type: "capture", Code: "handler_failed", Key: "o1", Since: c.now},
	} {
		some, _ := page(f, nil, 10)
		require.Equal(t, []string{"j1 o1 0"}, some, name)
	}
	since, _ := page(store.LetterFilter{Since: c.now, Key: "o1"}, nil, 10)
	require.Equal(t, []string{"j1 o1 0"}, since)

	next := read(t, s, func(ctx context.Context, r store.Reader) ([]store.DeadLetter, error) {
		return store.NextLetters(ctx, r, store.LetterFilter{}, store.LetterID{N: 4}, 10)
	})
	require.Len(t, next, 3)
	require.Equal(t, store.LetterID{Job: true, N: 1}, next[2].ID, "jobs come behind events")
}

func TestDeadLettersAreGroupedByCause(t *testing.T) {
	c := &clock{now: noon}
	s := open(t, t.TempDir(), c.options)
	defer func() { require.NoError(t, s.Close()) }()
	parking(t, s, dead("o1", "f1", true), dead("o1", "f1", true), waits("o1"), dead("o2", "f2", true))
	c.now = noon.Add(time.Hour)
	parking(t, s, dead("o3", "f1", true), waits("o3"))
	buried(t, s, "capture", "f3")
	groups := func(f store.LetterFilter) []store.LetterGroup {
		return read(t, s, func(ctx context.Context, r store.Reader) ([]store.LetterGroup, error) {
			return store.LetterGroups(ctx, r, f, 10)
		})
	}
	require.Equal(t, []store.LetterGroup{
		{Fingerprint: "f1", Type: "order.created", Code: "handler_failed", Detail: "broken o3", Count: 3, Keys: 2, HeldBehind: 2, FailedFirst: noon, FailedLast: c.now},
		{Fingerprint: "f2", Type: "order.created", Code: "handler_failed", Detail: "broken o2", Count: 1, Keys: 1, FailedFirst: noon, FailedLast: noon},
		{Fingerprint: "f3", Type: "capture", Code: "handler_failed", Detail: "no answer", Count: 1, Keys: 1, FailedFirst: c.now, FailedLast: c.now},
	}, groups(store.LetterFilter{}), "an event that waits behind two letters counts once")
	require.Len(t, groups(store.LetterFilter{Key: "o2"}), 1)
}

func TestWaitingEventsNameWhatHoldsThem(t *testing.T) {
	c := &clock{now: noon}
	s := open(t, t.TempDir(), c.options)
	defer func() { require.NoError(t, s.Close()) }()
	due := noon.Add(time.Minute)
	retrying := store.Parked{EventType: "order.created", Key: "o2", State: store.Retrying, Held: true, Code: "timeout", Due: &due}
	parking(t, s, dead("o1", "f1", true), waits("o1"), retrying, waits("o2"), store.Parked{EventType: "payment.refunded", Key: "o3", State: store.Waiting, Code: store.WaitFollows, Awaits: "payment.processed"})
	list := func(f store.WaitingFilter, after *store.Position, limit int) (lines []string) {
		for _, e := range read(t, s, func(ctx context.Context, r store.Reader) ([]store.WaitingEvent, error) {
			return store.WaitingEvents(ctx, r, f, after, limit)
		}) {
			lines = append(lines, fmt.Sprintf("%d %s %s %d %v %s", e.ID, e.State, e.Code, e.HeldBy, e.HeldDead, e.Awaits))
		}
		return lines
	}
	all := []string{"2 waiting key_held 1 true ", "3 retrying timeout 0 false ", "4 waiting key_held 3 false ", "5 waiting follows 0 false payment.processed"}
	require.Equal(t, all, list(store.WaitingFilter{}, nil, 10))
	require.Equal(t, all[2:], list(store.WaitingFilter{}, &store.Position{At: noon, ID: store.LetterID{N: 3}}, 10))
	require.Equal(t, all[1:2], list(store.WaitingFilter{State: store.Retrying, Type: "order.created"}, nil, 10))
	require.Equal(t, all[3:], list(store.WaitingFilter{Code: store.WaitFollows, Key: "o3"}, nil, 10))
	behind := store.AfterAll(noon)
	require.Empty(t, list(store.WaitingFilter{}, &behind, 10))
}

func TestOnlyOneTakesADeadJob(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	defer func() { require.NoError(t, s.Close()) }()
	buried(t, s, "capture", "f")
	revive := func() error {
		return s.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ReviveJob(ctx, 1, time.Minute)
			return err
		})
	}
	require.NoError(t, revive())
	require.ErrorIs(t, revive(), store.ErrNoLetter)
	require.ErrorIs(t, s.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.DiscardJob(ctx, 1) }), store.ErrNoLetter)
	require.Empty(t, read(t, s, func(ctx context.Context, r store.Reader) ([]store.DeadLetter, error) {
		return store.LatestLetters(ctx, r, store.LetterFilter{}, nil, 10)
	}))
}

// TestOnlyWhatIsCommittedIsParked: as many as the settings allow stop the intake, so that no failure may count. But what a
// transaction parks is seen by those that share its commit.
func TestOnlyWhatIsCommittedIsParked(t *testing.T) {
	onlySQLite(t)
	var failing atomic.Value
	failing.Store("")
	broken := errors.New("broken")
	s := open(t, t.TempDir(), func(o *store.Options) {
		o.Failpoint = func(point string) error {
			if failing.CompareAndSwap(point, "") {
				return broken
			}
			return nil
		}
	})
	p := waits("k")
	p.Payload = []byte("{}")
	park := func(then error) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error { return cmp.Or(tx.Park(ctx, p), then) }
	}
	require.ErrorIs(t, s.Do(t.Context(), park(broken)), broken)
	failing.Store("commit.before")
	require.ErrorIs(t, s.Do(t.Context(), park(nil)), broken)
	require.Zero(t, s.ParkedRows())
	failing.Store("commit.after")
	require.ErrorIs(t, s.Do(t.Context(), park(nil)), broken)
	require.EqualValues(t, 1, s.ParkedRows(), "it is there, whatever the reply was")
	require.NoError(t, s.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Unpark(ctx, 1) }))
	require.Zero(t, s.ParkedRows())
	seen := false
	errs := together(t, s, park(nil), func(_ context.Context, tx *store.Tx) error {
		seen = tx.HasParked("k")
		return nil
	})
	require.NoError(t, errors.Join(errs...))
	require.True(t, seen)
	require.EqualValues(t, 1, s.ParkedRows())
}

// TestARefusedLetterDoesNotLowerTheCount of parked rows, in which it does not stand.
func TestARefusedLetterDoesNotLowerTheCount(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	defer func() { require.NoError(t, s.Close()) }()
	parking(t, s, waits("o1"))
	require.NoError(t, s.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Park(ctx, store.Parked{State: store.Dead, Refused: true, Payload: []byte("{}"), OccurredAt: noon})
	}))
	require.Equal(t, int64(1), s.ParkedRows())
	require.NoError(t, s.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error { return tx.Dismiss(ctx, 2) }))
	require.Equal(t, int64(1), s.ParkedRows())
}

// One parked event has the others' keys cost no question: each group asks once for all of its keys.
func TestOnlyTheKeysOfParkedEventsAreLookedAt(t *testing.T) {
	s := open(t, t.TempDir(), nil)
	defer func() { require.NoError(t, s.Close()) }()
	has := func(key string) (found bool) {
		require.NoError(t, s.DoKey(t.Context(), key, func(_ context.Context, tx *store.Tx) error {
			found = tx.HasParked(key)
			return nil
		}))
		return found
	}
	require.False(t, has("o1"), "nothing is parked")
	parking(t, s, waits("o1"))
	require.True(t, has("o1"))
	require.False(t, has("o2"))
	require.True(t, has("o1"))
	require.NoError(t, s.DoKey(t.Context(), "o2", func(ctx context.Context, tx *store.Tx) error {
		p := waits("o2")
		p.EventID, p.Topic, p.OccurredAt, p.Payload = uuid.New(), "t", noon, []byte("{}")
		err := tx.Park(ctx, p)
		require.True(t, tx.HasParked("o2"), "what the group itself has parked counts")
		return err
	}))
	require.True(t, has("o2"))
	require.NoError(t, s.Do(t.Context(), func(_ context.Context, tx *store.Tx) error {
		require.True(t, tx.HasParked("o3"), "a key that is not the transaction's may have")
		return nil
	}))
}
