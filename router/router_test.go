package router_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

var tables = fstest.MapFS{"migrations/00001_test.sql": {Data: []byte("-- +goose Up\nCREATE TABLE handled (id {{serial}}, what TEXT NOT NULL);\n-- +goose Down\nDROP TABLE handled;\n")}}

// bench is a consumer whose handlers do what the test says.
type bench struct {
	*routertest.Kit
	t       *testing.T
	created func(ctx context.Context, tx *store.Tx) error // what the handler of order.created does after it wrote
	calls   int
}

func newBench(t *testing.T, settings router.Settings, jobs ...router.Part) *bench {
	b := &bench{t: t, created: func(context.Context, *store.Tx) error { return nil }}
	parts := append([]router.Part{
		router.On(func(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCreated]) error {
			b.calls++
			if err := b.write(ctx, tx, "created "+e.Data.OrderID); err != nil {
				return err
			}
			return b.created(ctx, tx)
		}),
		router.On(func(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCompleted]) error {
			return b.write(ctx, tx, "completed "+e.Data.OrderID)
		}),
		router.On(func(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCancelled]) error {
			return b.write(ctx, tx, "cancelled "+e.Data.OrderID)
		}),
		router.On(func(ctx context.Context, tx *store.Tx, e events.Event[events.ProductDeleted]) error {
			return store.Ignore("nothing to do")
		}),
	}, jobs...)
	b.Kit = routertest.NewWith(t, events.Platform(), settings, tables, parts...)
	return b
}

func (b *bench) write(ctx context.Context, tx *store.Tx, what string) error {
	_, err := tx.Exec(ctx, "INSERT INTO handled (what) VALUES ($1)", what)
	return err
}

func (b *bench) handled() (all []string) {
	b.View(func(ctx context.Context, r store.Reader) (err error) {
		all, err = store.All(ctx, r, func(s store.Scanner) (what string, err error) { return what, s.Scan(&what) }, "SELECT what FROM handled ORDER BY id")
		return err
	})
	return all
}

var home = events.Address{Street: "s", City: "c", Zip: "z", Country: "US"}

func created(id string) events.OrderCreated {
	return events.OrderCreated{
		OrderID: id, CustomerID: "c", Currency: "USD", Status: "pending", ShippingAddress: home, BillingAddress: home,
		Items: []events.Item{{ProductID: "p", Quantity: 1, UnitPrice: 1, TotalPrice: 1}},
	}
}

func completed(id string) events.OrderCompleted {
	return events.OrderCompleted{OrderID: id, CompletionTime: time.Unix(0, 0), PaymentID: "p", FulfillmentID: "f"}
}

func cancelled(id string) events.OrderCancelled {
	return events.OrderCancelled{OrderID: id, CancellationReason: events.ReasonCustomerRequest, CancelledBy: events.ByCustomer, CancelledAt: time.Unix(0, 0)}
}

func TestADuplicateHasNoEffect(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.Receive(created("o1"))
	b.WantApplied()
	b.WantIdempotent()
	require.Equal(t, []string{"created o1"}, b.handled())
	require.Equal(t, 1, b.calls)
}

func TestImmediateRetriesThenADeadLetterThatHoldsItsKey(t *testing.T) {
	b := newBench(t, router.Settings{ImmediateRetries: 2})
	b.created = func(context.Context, *store.Tx) error { return errors.New("the shelf o1 is locked") }
	b.Receive(created("o1"))
	b.WantDeadLetter(router.CodeHandlerFailed)
	require.Equal(t, 3, b.calls)
	require.Empty(t, b.handled(), "nothing of a failed attempt remains")

	b.created = func(context.Context, *store.Tx) error { return nil }
	b.Receive(completed("o1"))
	b.WantWaiting()
	b.Receive(created("o2"))
	b.WantApplied()
	b.Receive(completed("o2"))
	b.WantApplied()
	require.Equal(t, []string{"created o2", "completed o2"}, b.handled(), "another key goes on")
	b.WantIdempotent()
}

func TestDelayedRetriesFreeTheWorkerAndThenLetTheKeyGoOn(t *testing.T) {
	b := newBench(t, router.Settings{DelayedRetries: []time.Duration{10 * time.Second, time.Minute}})
	fail := true
	b.created = func(context.Context, *store.Tx) error {
		if fail {
			return errors.New("not yet")
		}
		return nil
	}
	b.Receive(created("o1"))
	b.Receive(completed("o1"))
	b.WantWaiting()
	b.Advance(12 * time.Second)
	require.Equal(t, 2, b.calls)
	fail = false
	b.Advance(30 * time.Second)
	require.Equal(t, 2, b.calls, "the second delay is a minute")
	b.Advance(time.Minute)
	require.Equal(t, []string{"created o1", "completed o1"}, b.handled())
	b.WantIdempotent()
}

func TestErrorsSteer(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		calls int
		check func(b *bench)
	}{
		"permanent: a dead letter at once":  {store.Permanent(errors.New("no such shelf")), 1, func(b *bench) { b.WantDeadLetter(router.CodeHandlerFailed) }},
		"ignore after writing: rolled back": {store.Ignore("too late"), 1, func(b *bench) { b.WantIgnored("too late"); require.Empty(b.t, b.handled()) }},
		"a panic is a failed attempt":       {nil, 4, func(b *bench) { b.WantDeadLetter(router.CodeHandlerFailed) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, router.Settings{ImmediateRetries: 3})
			b.created = func(context.Context, *store.Tx) error {
				if c.err == nil {
					panic("boom")
				}
				return c.err
			}
			b.Receive(created("o1"))
			require.Equal(t, c.calls, b.calls)
			c.check(b)
		})
	}
}

func TestRetryAfterSetsTheTime(t *testing.T) {
	b := newBench(t, router.Settings{ImmediateRetries: 3})
	b.created = func(context.Context, *store.Tx) error { return store.RetryAfter(time.Hour, errors.New("closed")) }
	b.Receive(created("o1"))
	require.Equal(t, 1, b.calls)
	b.Advance(59 * time.Minute)
	require.Equal(t, 1, b.calls)
	b.created = func(context.Context, *store.Tx) error { return nil }
	b.Advance(2 * time.Minute)
	require.Equal(t, []string{"created o1"}, b.handled())
}

// What an operator holds up is not missing.
func TestAPredecessorThatHasComeIsNotMissing(t *testing.T) {
	b := newBench(t, router.Settings{FollowsTimeout: time.Minute})
	b.Receive(completed("o1"))
	b.WantWaiting()
	require.NoError(t, b.Service().Pause(t.Context(), "anna", "maintenance"))
	b.Receive(created("o1"))
	b.WantWaiting()
	b.Advance(10 * time.Minute)
	require.Empty(t, b.letters(), "the consumer is paused")
	require.NoError(t, b.Service().Resume(t.Context(), "anna", "done"))
	b.Advance(time.Second)
	require.Equal(t, []string{"created o1", "completed o1"}, b.handled())

	b.Receive(completed("o2"))
	b.WantWaiting()
	b.created = func(context.Context, *store.Tx) error { return store.Permanent(errors.New("no")) }
	b.Receive(created("o2"))
	b.Advance(10 * time.Minute)
	require.Len(t, b.letters(), 1, "the predecessor alone")
	b.Do(func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ReleaseKey(ctx, "o2")
		return err
	})
	b.Advance(10 * time.Minute)
	require.Len(t, b.letters(), 2, "nobody waits for ever behind one that was released")
}

func TestPredecessorsAreWaitedForWithALimit(t *testing.T) {
	b := newBench(t, router.Settings{FollowsTimeout: time.Minute})
	b.Receive(completed("o1"))
	b.WantWaiting()
	b.Receive(cancelled("o1"))
	b.WantWaiting()
	b.Receive(created("o2"))
	b.WantApplied()
	b.Receive(created("o1"))
	require.Equal(t, []string{"created o2", "created o1", "completed o1", "cancelled o1"}, b.handled(), "the lowest timestamp first")

	b.Receive(completed("o3"))
	b.Advance(2 * time.Minute)
	b.WantDeadLetter(router.CodeMissingPredecessor)
	b.Receive(created("o3"))
	require.Equal(t, []string{"created o3", "completed o3"}, b.handled()[4:], "it goes on when the predecessor comes after all")
	b.WantIdempotent()
}

func TestMessagesThatBreakTheirContractHoldNothing(t *testing.T) {
	b := newBench(t, router.Settings{})
	topic := created("o1").Contract().Topic()
	for code, raw := range map[string]string{
		"malformed_json": `{"event_id"`, "not_object": `null`, "missing_field": `{}`,
	} {
		id := uuid.New()
		b.ReceiveRaw(topic, id, []byte(raw), message.Metadata{router.MetaEventID: id.String()})
		b.WantDeadLetter(code)
	}
	foreign := uuid.New() // its id stands in the body alone
	b.ReceiveRaw(topic, foreign, []byte(`{"event_id":"`+foreign.String()+`","event_type":"order.created"}`), nil)
	b.WantDeadLetter("missing_field")
	b.Receive(created("o1"))
	b.WantApplied()
}

func TestAMessageOnAnothersTopicIsRefused(t *testing.T) {
	b := newBench(t, router.Settings{})
	id := uuid.New()
	raw, err := events.Encode(events.Envelope{EventID: id, CorrelationID: "c", Timestamp: time.Unix(1, 0), SourceService: events.OrdersService, EventVersion: "1.0", EventType: "order.created"}, created("o1"))
	require.NoError(t, err)
	b.ReceiveRaw(completed("o1").Contract().Topic(), id, raw, message.Metadata{router.MetaEventID: id.String()})
	b.WantDeadLetter(router.CodeTopicMismatch)
}

func TestTheSameIDWithOtherContentIsRefused(t *testing.T) {
	b := newBench(t, router.Settings{})
	id := uuid.New()
	write := func(customer string) []byte {
		o := created("o1")
		o.CustomerID = customer
		raw, err := events.Encode(events.Envelope{EventID: id, CorrelationID: "c", Timestamp: time.Unix(1, 0), SourceService: events.OrdersService, EventVersion: "1.0", EventType: "order.created"}, o)
		require.NoError(t, err)
		return raw
	}
	topic, metadata := created("o1").Contract().Topic(), message.Metadata{router.MetaEventID: id.String()}
	b.ReceiveRaw(topic, id, write("a"), metadata)
	b.WantApplied()
	b.ReceiveRaw(topic, id, []byte(strings.ReplaceAll(string(write("a")), `,"`, `, "`)), metadata)
	require.Equal(t, 1, b.calls, "other bytes of the same content are a duplicate")
	b.ReceiveRaw(topic, id, write("b"), metadata)
	b.WantDeadLetter(router.CodeIDConflict)
	require.Equal(t, []string{"created o1"}, b.handled())
}

// A pause is for maintenance of what jobs ask, too; and the audit says who paused, and why.
func TestAPausedConsumerAsksNobody(t *testing.T) {
	asked := 0
	b := newBench(t, router.Settings{}, router.Call("ask",
		func(context.Context, string) (string, error) {
			asked++
			return "yes", nil
		},
		func(context.Context, *store.Tx, string, string) error { return nil }))
	require.NoError(t, b.Service().Pause(t.Context(), "ada", "provider maintenance"))
	b.Do(func(ctx context.Context, tx *store.Tx) error {
		return tx.Enqueue(ctx, store.Job{Kind: "ask", Name: "n", Key: "k", Payload: "p"})
	})
	b.Advance(2 * time.Hour)
	require.Zero(t, asked)
	require.NoError(t, b.Service().Resume(t.Context(), "bob", "done"))
	b.Settle()
	require.Equal(t, 1, asked)
	b.View(func(ctx context.Context, r store.Reader) error {
		trail, err := store.AuditOf(ctx, r, b.Service().Name())
		require.Len(t, trail, 2)
		require.Equal(t, []string{"ada", "pause", "provider maintenance"}, []string{trail[0].Actor, trail[0].Action, trail[0].Detail})
		require.Equal(t, []string{"bob", "resume", "done"}, []string{trail[1].Actor, trail[1].Action, trail[1].Detail})
		return err
	})
}

func TestJobsRunOnceDueRetryAndAreBuried(t *testing.T) {
	type ask struct{ N int }
	var asked, told int
	fails := 1
	b := newBench(t, router.Settings{DelayedRetries: []time.Duration{time.Minute}}, router.Call("ask",
		func(context.Context, ask) (string, error) {
			asked++
			if asked <= fails {
				return "", errors.New("unreachable")
			}
			return "yes", nil
		},
		func(_ context.Context, _ *store.Tx, a ask, answer string) error {
			told++
			if a.N != 7 || answer != "yes" {
				return fmt.Errorf("got %d %s", a.N, answer)
			}
			return nil
		}))
	enqueue := func() {
		b.Do(func(ctx context.Context, tx *store.Tx) error {
			return tx.Enqueue(ctx, store.Job{Kind: "ask", Name: "n", Key: "k", Due: tx.Now().Add(time.Hour), Payload: ask{7}})
		})
	}
	enqueue()
	b.Advance(59 * time.Minute)
	require.Equal(t, 0, asked)
	b.Advance(time.Minute)
	require.Equal(t, []int{1, 0}, []int{asked, told})
	b.Advance(66 * time.Second) // the delay and the most that chance adds
	require.Equal(t, []int{2, 1}, []int{asked, told})
	b.Advance(time.Hour)
	require.Equal(t, 2, asked, "done is done")

	fails = 100
	enqueue()
	b.Advance(2 * time.Hour)
	b.Advance(2 * time.Hour)
	require.Equal(t, 4, asked, "two attempts, then it is buried")
}
