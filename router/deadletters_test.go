package router_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

var operator = router.Mending{Actor: "anna", Reason: "the shelf is repaired"}

func (b *bench) mend(do func(context.Context, router.Mending) (router.Mended, error), m router.Mending) router.Mended {
	b.t.Helper()
	mended, err := do(b.t.Context(), m)
	require.NoError(b.t, err)
	b.Settle()
	return mended
}

func (b *bench) deadLetters(f store.LetterFilter) (found []store.DeadLetter) {
	b.t.Helper()
	b.View(func(ctx context.Context, r store.Reader) (err error) {
		found, err = store.LatestLetters(ctx, r, f, nil, 1000)
		return err
	})
	return found
}

func (b *bench) state(id uuid.UUID) string {
	b.t.Helper()
	var d store.Delivery
	b.View(func(ctx context.Context, r store.Reader) error {
		found, err := store.Deliveries(ctx, r, []uuid.UUID{id})
		d = found[id]
		return err
	})
	return strings.TrimSpace(d.State.String() + " " + d.Reason)
}

func (b *bench) audit() (lines []string) {
	b.t.Helper()
	b.View(func(ctx context.Context, r store.Reader) (err error) {
		lines, err = store.All(ctx, r, func(s store.Scanner) (string, error) {
			var actor, action, target, detail string
			err := s.Scan(&actor, &action, &target, &detail)
			return actor + " " + action + " " + target + ": " + detail, err
		}, "SELECT actor, action, target, detail FROM audit ORDER BY id")
		return err
	})
	return lines
}

var failing = func(context.Context, *store.Tx) error { return errors.New("the shelf is broken") }
var working = func(context.Context, *store.Tx) error { return nil }

func TestARequeuedLetterIsAppliedAndWhatWaitedFollows(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.created = failing
	first := b.Receive(created("o1"))
	second := b.Receive(completed("o1"))
	letters := b.deadLetters(store.LetterFilter{})
	require.Len(t, letters, 1)
	require.Equal(t, int64(1), letters[0].HeldBehind)
	require.Equal(t, first, letters[0].EventID)

	b.created = working
	mended := b.mend(b.Service().Requeue, operator)
	require.Equal(t, map[string]int64{"applied": 1}, mended.Outcomes)
	require.Equal(t, int64(1), mended.Tried)
	require.False(t, mended.More)
	require.Equal(t, []string{"created o1", "completed o1"}, b.handled(), "in order")
	require.Equal(t, "applied", b.state(first))
	require.Equal(t, "applied", b.state(second))
	require.Equal(t, []string{"anna requeue test-1: the shelf is repaired"}, b.audit())

	again := b.mend(b.Service().Requeue, router.Mending{Actor: "anna", Reason: "twice", Filter: store.LetterFilter{IDs: []store.LetterID{{N: 1}}}})
	require.Empty(t, again.Outcomes, "repeatable without harm")
	b.WantIdempotent()
	require.Equal(t, []string{"created o1", "completed o1"}, b.handled())
}

func TestARequeueEndsWhenTheSameFingerprintReturns(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.created = failing
	for n := range 8 { // fewer than open the circuit
		b.Receive(created(fmt.Sprint("o", n)))
	}
	calls := b.calls
	mended := b.mend(b.Service().Requeue, operator)
	require.Equal(t, 1, b.calls-calls, "the first alone")
	require.NotNil(t, mended.Stopped)
	require.Equal(t, router.CodeHandlerFailed, mended.Stopped.Code)
	require.Equal(t, store.LetterID{N: 1}, mended.Stopped.ID)
	require.True(t, mended.More)
	require.Equal(t, map[string]int64{"dead": 1}, mended.Outcomes)
	require.Len(t, b.deadLetters(store.LetterFilter{}), 8, "none is lost")

	b.created = func(context.Context, *store.Tx) error { return errors.New("the roof leaks") }
	mended = b.mend(b.Service().Requeue, operator)
	require.Nil(t, mended.Stopped, "another cause does not end it")
	require.Equal(t, map[string]int64{"dead": 8}, mended.Outcomes)
	require.Equal(t, int64(8), mended.Failures[0].Count)

	b.created = working
	mended = b.mend(b.Service().Requeue, router.Mending{Limit: 3})
	require.Equal(t, map[string]int64{"applied": 3}, mended.Outcomes)
	require.Equal(t, store.LetterID{N: 3}, mended.Last)
	require.True(t, mended.More)
	mended = b.mend(b.Service().Requeue, router.Mending{After: mended.Last})
	require.Equal(t, map[string]int64{"applied": 5}, mended.Outcomes)
	require.False(t, mended.More)
}

// What can only wait again is no success to keep quiet about: behind a later letter that holds the key, or at a paused consumer
// (a dry run tries the handler all the same).
func TestARequeueSaysWhatWaitsAgainAndWhy(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.created = failing
	b.Receive(created("o1"))
	b.mend(b.Service().Release, operator)
	b.Receive(created("o1"))
	b.Receive(created("o2"))
	b.created = working
	first, other := operator, operator
	first.Filter.IDs, other.Filter.Key = []store.LetterID{{N: 1}}, "o2"
	want := func(done router.Mended, why string) {
		t.Helper()
		require.Equal(t, []any{map[string]int64{"waiting": 1}, map[string]int64{why: 1}}, []any{done.Outcomes, done.Waits})
	}
	want(b.mend(b.Service().TryOut, first), store.WaitHeld)
	want(b.mend(b.Service().Requeue, first), store.WaitHeld)
	require.NoError(t, b.Service().Pause(t.Context(), "anna", "maintenance"))
	tried := b.mend(b.Service().TryOut, other)
	require.Equal(t, []any{map[string]int64{"applied": 1}, map[string]int64{}}, []any{tried.Outcomes, tried.Waits})
	want(b.mend(b.Service().Requeue, other), store.WaitPaused)
	require.Empty(t, b.handled())
	require.NoError(t, b.Service().Resume(t.Context(), "anna", "done"))
	b.Settle()
	require.Equal(t, []string{"created o2"}, b.handled(), "it goes on by itself")
}

func TestADryRunCountsAndLeavesNothing(t *testing.T) {
	b := newBench(t, router.Settings{}, router.Do("tidy", func(ctx context.Context, tx *store.Tx, p struct{}) error { return errors.New("no broom") }),
		router.Call("ask", func(context.Context, struct{}) (int, error) { return 0, errors.New("no answer") }, func(context.Context, *store.Tx, struct{}, int) error { return nil }))
	b.created = failing
	for n := range 3 {
		b.Receive(created(fmt.Sprint("o", n)))
	}
	b.ReceiveRaw(created("x").Contract().Topic(), uuid.New(), []byte(`{"event_type":"order.created"`), nil)
	b.Do(func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(tx.Enqueue(ctx, store.Job{Kind: "tidy", Name: "t"}), tx.Enqueue(ctx, store.Job{Kind: "ask", Name: "a"}))
	})
	before := b.deadLetters(store.LetterFilter{})
	require.Len(t, before, 6)
	broken := true
	b.created = func(context.Context, *store.Tx) error {
		if broken = !broken; broken {
			return errors.New("again")
		}
		return nil
	}
	mended := b.mend(b.Service().TryOut, router.Mending{Limit: 1})
	require.Equal(t, map[string]int64{"applied": 1}, mended.Outcomes)
	b.created = func(context.Context, *store.Tx) error { return errors.New("again") }
	mended = b.mend(b.Service().TryOut, router.Mending{})
	require.Equal(t, map[string]int64{"dead": 5, "skipped": 1}, mended.Outcomes)
	counts := map[string]int64{}
	for _, f := range mended.Failures {
		counts[f.Code] += f.Count
	}
	require.Equal(t, map[string]int64{router.CodeHandlerFailed: 4, "malformed_json": 1, router.CodeOutside: 1}, counts)
	require.Empty(t, b.handled(), "everything is rolled back")
	require.Equal(t, before, b.deadLetters(store.LetterFilter{}))
	require.Empty(t, b.audit())
}

func TestADiscardedLetterEndsAndFreesItsKey(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.created = failing
	first := b.Receive(created("o1"))
	second := b.Receive(completed("o1"))
	broken := uuid.New()
	b.ReceiveRaw(created("x").Contract().Topic(), broken, []byte(`{}`), nil)
	mended := b.mend(b.Service().Discard, router.Mending{Actor: "anna", Reason: "a test order"})
	require.Equal(t, map[string]int64{"discarded": 2}, mended.Outcomes)
	require.Equal(t, "discarded a test order", b.state(first))
	require.Equal(t, "applied", b.state(second), "its declared predecessor has ended")
	require.Equal(t, []string{"completed o1"}, b.handled())
	require.ElementsMatch(t, []string{"anna discard test-1: a test order", "anna discard test-3: a test order"}, b.audit())
	b.View(func(ctx context.Context, r store.Reader) error {
		st, err := b.Service().Store().Status(ctx)
		require.Equal(t, int64(1), st.Counters["discarded"], "what was turned away was never accepted")
		require.Zero(t, st.Dead)
		return err
	})
}

func TestAReleasedKeyGoesOnAndItsLetterStays(t *testing.T) {
	b := newBench(t, router.Settings{OnFailure: router.Hold})
	b.Receive(created("o1"))
	b.created = failing
	b.Receive(created("o1")) // another event of the key
	last := b.Receive(cancelled("o1"))
	require.Equal(t, "waiting key_held", b.state(last))
	b.View(func(ctx context.Context, r store.Reader) error {
		waiting, err := store.WaitingEvents(ctx, r, store.WaitingFilter{Key: "o1"}, nil, 10)
		require.Len(t, waiting, 1)
		require.Equal(t, store.WaitHeld, waiting[0].Code)
		require.True(t, waiting[0].HeldDead)
		require.Equal(t, int64(1), waiting[0].HeldBy)
		return err
	})
	mended := b.mend(b.Service().Release, router.Mending{Actor: "anna", Reason: "go on", Filter: store.LetterFilter{Key: "o1"}})
	require.Equal(t, map[string]int64{"released": 1}, mended.Outcomes)
	require.Equal(t, "applied", b.state(last))
	letters := b.deadLetters(store.LetterFilter{})
	require.Len(t, letters, 1)
	require.False(t, letters[0].Held)
	require.Equal(t, []string{"anna release test-1: go on"}, b.audit())
	require.Equal(t, map[string]int64{"skipped": 1}, b.mend(b.Service().Release, router.Mending{}).Outcomes)
}

func TestWhatWasTurnedAwayIsAppliedOnceItCanBe(t *testing.T) {
	b := newBench(t, router.Settings{})
	contract := created("o1").Contract()
	id := uuid.Must(uuid.NewV7())
	raw, err := events.Encode(events.Envelope{EventID: id, CorrelationID: "c", Timestamp: b.Now(), SourceService: contract.Publisher, EventVersion: "1.0", EventType: contract.Type}, created("o1"))
	require.NoError(t, err)
	b.ReceiveRaw(completed("o1").Contract().Topic(), id, raw, nil) // on another topic than its own
	b.WantDeadLetter(router.CodeTopicMismatch)

	mended := b.mend(b.Service().Requeue, operator)
	require.Equal(t, router.CodeTopicMismatch, mended.Stopped.Code, "it is still turned away")
	require.Equal(t, 2, b.deadLetters(store.LetterFilter{})[0].Attempts+1)

	b.Do(func(ctx context.Context, tx *store.Tx) error { // as if a later version had the route
		_, err := tx.Exec(ctx, "UPDATE parked SET topic = $1", contract.Topic())
		return err
	})
	mended = b.mend(b.Service().Requeue, operator)
	require.Equal(t, map[string]int64{"applied": 1}, mended.Outcomes)
	require.Equal(t, []string{"created o1"}, b.handled())
	require.Equal(t, "applied", b.state(id))

	b.ReceiveRaw(completed("o1").Contract().Topic(), id, raw, nil)
	b.Do(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE parked SET topic = $1", contract.Topic())
		return err
	})
	require.Equal(t, map[string]int64{"duplicate": 1}, b.mend(b.Service().Requeue, operator).Outcomes)
	require.Equal(t, []string{"created o1"}, b.handled(), "effect once")
}

func TestATurnedAwayMessageThatThenFailsHoldsItsKeyAsOthersDo(t *testing.T) {
	b := newBench(t, router.Settings{})
	contract := created("o1").Contract()
	id := uuid.Must(uuid.NewV7())
	raw, err := events.Encode(events.Envelope{EventID: id, CorrelationID: "c", Timestamp: b.Now(), SourceService: contract.Publisher, EventVersion: "1.0", EventType: contract.Type}, created("o1"))
	require.NoError(t, err)
	b.ReceiveRaw(completed("o1").Contract().Topic(), id, raw, nil)
	b.Do(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, "UPDATE parked SET topic = $1", contract.Topic())
		return err
	})
	b.created = failing
	require.Equal(t, map[string]int64{"dead": 1}, b.mend(b.Service().Requeue, operator).Outcomes)
	require.Equal(t, "dead handler_failed", b.state(id))
	last := b.Receive(completed("o1"))
	require.Equal(t, "waiting key_held", b.state(last))
	b.created = working
	require.Equal(t, map[string]int64{"applied": 1}, b.mend(b.Service().Requeue, operator).Outcomes)
	require.Equal(t, "applied", b.state(last))
}

func TestAJobWhoseRetriesAreSpentIsADeadLetterToo(t *testing.T) {
	fails := true
	asked := 0
	b := newBench(t, router.Settings{}, router.Call("ask", func(context.Context, struct{ N int }) (int, error) {
		if asked++; fails {
			return 0, fmt.Errorf("no answer to question %d", asked)
		}
		return 7, nil
	}, func(ctx context.Context, tx *store.Tx, p struct{ N int }, result int) error {
		_, err := tx.Exec(ctx, "INSERT INTO handled (what) VALUES ($1)", fmt.Sprint("answer ", result))
		return err
	}))
	ask := func(name string) {
		b.Do(func(ctx context.Context, tx *store.Tx) error {
			return tx.Enqueue(ctx, store.Job{Kind: "ask", Name: name, Key: "o1", Payload: struct{ N int }{1}})
		})
	}
	ask("a")
	letters := b.deadLetters(store.LetterFilter{Type: "ask"})
	require.Len(t, letters, 1)
	require.Equal(t, store.LetterID{Job: true, N: 1}, letters[0].ID)
	require.Equal(t, "no answer to question 1", letters[0].Detail)
	require.Equal(t, b.Now(), letters[0].FailedLast)

	mended := b.mend(b.Service().Requeue, operator)
	require.Equal(t, 2, asked)
	require.NotNil(t, mended.Stopped, "it failed as before: the numbers in its detail do not count")
	fails = false
	require.Equal(t, map[string]int64{"applied": 1}, b.mend(b.Service().Requeue, operator).Outcomes)
	require.Equal(t, []string{"answer 7"}, b.handled())
	require.Empty(t, b.deadLetters(store.LetterFilter{}))
	require.Equal(t, []string{"anna requeue test-j1: the shelf is repaired", "anna requeue test-j1: the shelf is repaired"}, b.audit())

	fails = true
	ask("b")
	require.Equal(t, map[string]int64{"discarded": 1}, b.mend(b.Service().Discard, operator).Outcomes)
	require.Empty(t, b.deadLetters(store.LetterFilter{}))
}

func TestAnInspectedLetterHidesPersonalDataUnlessAReasonIsGiven(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.created = failing
	b.Receive(created("o1"))
	seen, err := b.Service().Inspect(t.Context(), store.LetterID{N: 1}, nil)
	require.NoError(t, err)
	require.Contains(t, string(seen.Payload), `"order_id":"o1"`)
	require.Contains(t, string(seen.Payload), `"street":"[personal data]"`)
	require.Contains(t, seen.Masked, "/data/shipping_address/street")
	require.Empty(t, seen.Problems)
	require.Empty(t, b.audit())

	seen, err = b.Service().Inspect(t.Context(), store.LetterID{N: 1}, &router.Unmask{Actor: "anna", Reason: "the shopper asked"})
	require.NoError(t, err)
	require.Contains(t, string(seen.Payload), `"street":"s"`)
	require.Equal(t, []string{"anna unmask test-1: the shopper asked"}, b.audit())
	require.Equal(t, "unmask", seen.Trail[0].Action)

	b.ReceiveRaw(created("x").Contract().Topic(), uuid.New(), []byte(`{"data":{"shipping_address":{"street":"1 Main`), nil)
	seen, err = b.Service().Inspect(t.Context(), store.LetterID{N: 2}, nil)
	require.NoError(t, err)
	require.True(t, seen.Withheld)
	require.Empty(t, seen.Payload)
	require.Equal(t, events.MalformedJSON, seen.Problems[0].Code)
	_, err = b.Service().Inspect(t.Context(), store.LetterID{N: 99}, nil)
	require.ErrorIs(t, err, store.ErrNoLetter)
}

// TestARequeueTriesThoughTheCircuitIsOpen: a person who asks for it has mended something; the first success closes the circuit.
func TestARequeueTriesThoughTheCircuitIsOpen(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.created = failing
	for n := range 12 {
		b.Receive(created(fmt.Sprint("o", n)))
	}
	_, _, open := b.Service().Circuit()
	require.True(t, open)
	mended := b.mend(b.Service().Requeue, router.Mending{})
	require.NotNil(t, mended.Stopped, "still broken")
	require.Equal(t, map[string]int64{"retrying": 1}, mended.Outcomes, "the open circuit spares it")
	b.created = working
	require.Equal(t, map[string]int64{"applied": 9}, b.mend(b.Service().Requeue, router.Mending{}).Outcomes)
	_, _, open = b.Service().Circuit()
	require.False(t, open)
	b.Advance(time.Hour)
	require.Len(t, b.handled(), 12)
}

func TestARequeueLeavesAnEventToRecoveryWhenTheProcessEnds(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.created = failing
	id := b.Receive(created("o1"))
	b.created = working
	b.Do(func(ctx context.Context, tx *store.Tx) error { // what a requeue has stored before the attempt
		p, err := store.DeadEvent(ctx, tx, 1)
		if err != nil {
			return err
		}
		due := tx.Now().Add(time.Minute)
		p.State, p.Due = store.Retrying, &due
		return errors.Join(tx.Settle(ctx, id, store.Retrying, 1, p.Code), tx.Repark(ctx, p))
	})
	b.Advance(time.Hour)
	require.Equal(t, "applied", b.state(id))
}
