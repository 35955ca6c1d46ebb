package router_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// arrive handles an event without the recovery that the kit lets follow.
func (b *bench) arrive(p events.Payload, at time.Time) {
	b.t.Helper()
	contract, id := p.Contract(), uuid.Must(uuid.NewV7())
	raw, err := events.Encode(events.Envelope{EventID: id, CorrelationID: "c", Timestamp: at, SourceService: contract.Publisher, EventVersion: contract.Version, EventType: contract.Type}, p)
	require.NoError(b.t, err)
	require.NoError(b.t, b.Service().Deliver(b.t.Context(), contract.Topic(), message.NewMessage(id.String(), raw)))
}

func (b *bench) recover() error {
	_, err := b.Service().Recover(b.t.Context())
	return err
}

// paused has what arrives meanwhile wait.
func (b *bench) paused(arrive func()) {
	b.t.Helper()
	require.NoError(b.t, b.Service().Pause(b.t.Context(), "anna", "maintenance"))
	arrive()
	require.NoError(b.t, b.Service().Resume(b.t.Context(), "anna", "done"))
}

// cancels is a handler whose error says nothing about the events of a key.
func cancels(key string) func(context.Context, *store.Tx) error {
	return func(_ context.Context, tx *store.Tx) error {
		if tx.Origin().Key == key {
			return context.Canceled
		}
		return nil
	}
}

const aPage = 256 // heads are read so many at a time

// Seen red when the first error ended the pass: nothing of the others was handled.
func TestARowThatKeepsFailingUncountedKeepsNoOtherBack(t *testing.T) {
	t.Run("a retry that is due", func(t *testing.T) {
		b := newBench(t, router.Settings{DelayedRetries: []time.Duration{0}})
		b.created = failing
		b.arrive(created("bad"), b.Now())
		b.created = cancels("bad")
		b.arrive(completed("woken"), b.Now())
		b.arrive(created("woken"), b.Now())
		b.paused(func() { b.arrive(created("waiting"), b.Now()) })
		require.ErrorIs(t, b.recover(), context.Canceled)
		require.ElementsMatch(t, []string{"created woken", "created waiting", "completed woken"}, b.handled())
		b.created = working
		require.NoError(t, b.recover())
		require.Contains(t, b.handled(), "created bad")
	})
	t.Run("a head before a page of others", func(t *testing.T) {
		b := newBench(t, router.Settings{})
		b.created = cancels("bad")
		b.paused(func() {
			b.arrive(created("bad"), b.Now())
			for n := range aPage + 1 {
				b.arrive(created(fmt.Sprint("o", n)), b.Now())
			}
		})
		require.ErrorIs(t, b.recover(), context.Canceled)
		require.Equal(t, aPage+1, len(b.handled()))
		b.created = working
		require.NoError(t, b.recover(), "its key is still woken")
		require.Contains(t, b.handled(), "created bad")
	})
}

// Seen red when what was woken was forgotten: until the next look at the whole table.
func TestWhatWasWokenOutlastsAnErrorOfTheDatabase(t *testing.T) {
	b := newBench(t, router.Settings{})
	rename := func(from, to string) {
		require.NoError(t, b.Service().Store().Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "ALTER TABLE "+from+" RENAME TO "+to)
			return err
		}))
	}
	outage := func() {
		rename("parked", "hidden")
		require.Error(t, b.recover())
		rename("hidden", "parked")
		require.NoError(t, b.recover())
	}
	b.arrive(completed("o1"), b.Now())
	b.arrive(created("o1"), b.Now())
	outage()
	require.Equal(t, []string{"created o1", "completed o1"}, b.handled())
	b.paused(func() { b.arrive(created("o2"), b.Now()) })
	outage()
	require.Equal(t, "created o2", b.handled()[2])
}

// Seen red when every message that was turned away woke all keys: each event that waited was tried in a transaction of its own.
func TestAnUnreadableMessageDisturbsNoneThatWait(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.arrive(completed("o1"), b.Now())
	b.arrive(completed("o2"), b.Now())
	require.NoError(t, b.recover())
	_, before := b.Service().Store().Commits()
	require.NoError(t, b.Service().Deliver(t.Context(), created("").Contract().Topic(), message.NewMessage("m", []byte("{"))))
	require.NoError(t, b.recover())
	_, after := b.Service().Store().Commits()
	require.Len(t, b.letters(), 1)
	require.EqualValues(t, 1, after-before, "the dead letter's")
}

// Seen red when each look at an event that waits wrote it again and counted it as one more.
func TestAnEventThatGoesOnWaitingIsNotWrittenAgain(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.paused(func() { b.arrive(completed("o1"), b.Now()) })
	look := func() (row string) {
		b.Advance(time.Second)
		b.paused(func() {})
		require.NoError(t, b.recover())
		b.View(func(ctx context.Context, r store.Reader) error {
			var code string
			var due, changed int64
			require.NoError(t, r.QueryRow(ctx, "SELECT code, due, changed_at FROM parked").Scan(&code, &due, &changed))
			row = fmt.Sprint(code, due, changed)
			return nil
		})
		return row
	}
	first := look()
	require.Contains(t, first, store.WaitFollows, "no longer for the consumer")
	require.Equal(t, first, look())
	b.arrive(created("o1"), b.Now())
	require.NoError(t, b.recover())
	require.Equal(t, []string{"created o1", "completed o1"}, b.handled())
}

// Seen red when the heads of a key were sorted within their page only, and when all heads of a key went before the next ones of
// their topics.
func TestTheLowestTimestampOfAKeyGoesFirst(t *testing.T) {
	b := newBench(t, router.Settings{})
	at := func(n int) time.Time { return b.Now().Add(time.Duration(n) * time.Second) }
	b.arrive(created("far"), at(0))
	b.arrive(created("near"), at(0))
	b.paused(func() {
		b.arrive(completed("far"), at(2))
		for n := range aPage {
			b.arrive(created(fmt.Sprint("o", n)), at(0))
		}
		b.arrive(cancelled("far"), at(1))
		b.arrive(cancelled("near"), at(1))
		b.arrive(cancelled("near"), at(2))
		b.arrive(completed("near"), at(3))
	})
	require.NoError(t, b.recover())
	of := func(key string) []string {
		return slices.DeleteFunc(b.handled(), func(what string) bool { return !strings.HasSuffix(what, " "+key) })
	}
	require.Equal(t, []string{"created far", "cancelled far", "completed far"}, of("far"), "a page apart")
	require.Equal(t, []string{"created near", "cancelled near", "cancelled near", "completed near"}, of("near"))
	require.Equal(t, aPage+7, len(b.handled()))
}

// Seen red when a failed event that holds nothing woke nobody: the next one of its topic waited for the look of the minute.
func TestWhatWaitsBehindAFailedEventThatHoldsNothingGoesOn(t *testing.T) {
	b := newBench(t, router.Settings{OnFailure: router.Release})
	b.created = func(ctx context.Context, tx *store.Tx) error {
		if b.calls <= 2 {
			return failing(ctx, tx)
		}
		return nil
	}
	b.paused(func() {
		for n := range 3 {
			b.arrive(created("o1"), b.Now().Add(time.Duration(n)*time.Second))
		}
	})
	require.NoError(t, b.recover())
	require.Equal(t, []string{"created o1"}, b.handled())
	require.Len(t, b.deadLetters(store.LetterFilter{}), 2)
}

// Seen red when woken keys were recovered one after the other.
func TestWokenKeysShareCommits(t *testing.T) {
	b := newBench(t, router.Settings{})
	const keys = 64
	for n := range keys {
		b.arrive(completed(fmt.Sprint("o", n)), b.Now())
		b.arrive(created(fmt.Sprint("o", n)), b.Now())
	}
	commits, _ := b.Service().Store().Commits()
	require.NoError(t, b.recover())
	after, _ := b.Service().Store().Commits()
	require.Equal(t, 2*keys, len(b.handled()))
	require.Less(t, after-commits, int64(keys))
}

// An event that can no longer be read (its subscription or its contract is gone) has no next attempt. Seen red when its dead
// letter kept the time of one: it was tried again without end.
func TestARetryThatCannotBeReadAnyMoreIsADeadLetterOnce(t *testing.T) {
	b := newBench(t, router.Settings{DelayedRetries: []time.Duration{0}})
	b.created = failing
	b.arrive(created("o1"), b.Now())
	b.arrive(completed("o1"), b.Now())
	require.NoError(t, b.Service().Store().Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE parked SET payload = $1 WHERE state = $2", []byte("{"), store.Retrying)
		return err
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	next, err := b.Service().Recover(ctx)
	require.NoError(t, err)
	letters := b.letters()
	require.Len(t, letters, 1)
	require.Equal(t, []any{string(events.MalformedJSON), false, (*time.Time)(nil)}, []any{letters[0].Code, letters[0].Held, letters[0].Due})
	require.Equal(t, b.Now().Add(10*time.Minute), next, "the event behind it waits for its predecessor")
}
