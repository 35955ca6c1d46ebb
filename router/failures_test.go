package router_test

import (
	"context"
	"errors"
	"fmt"
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

// letters are the bench's dead letters, in the order of their rows.
func (b *bench) letters() (all []store.Parked) {
	b.View(func(ctx context.Context, r store.Reader) error {
		ids, err := store.All(ctx, r, func(s store.Scanner) (id int64, err error) { return id, s.Scan(&id) }, "SELECT id FROM parked WHERE state = $1 ORDER BY id", store.Dead)
		for _, id := range ids {
			p, _, err := store.ParkedRow(ctx, r, id)
			require.NoError(b.t, err)
			all = append(all, p)
		}
		return err
	})
	return all
}

func (b *bench) count(state store.State) (n int64) {
	b.View(func(ctx context.Context, r store.Reader) error {
		return r.QueryRow(ctx, "SELECT COUNT(*) FROM parked WHERE state = $1", state).Scan(&n)
	})
	return n
}

func TestEachAttemptHasALivingContext(t *testing.T) {
	b := newBench(t, router.Settings{AttemptTimeout: 30 * time.Millisecond, ImmediateRetries: 1})
	var living []error
	b.created = func(ctx context.Context, _ *store.Tx) error {
		living = append(living, ctx.Err())
		if len(living) == 1 {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	b.Receive(created("o1"))
	require.Equal(t, []error{nil, nil}, living)
	b.WantApplied()
}

func TestADeadLetterSaysWhatAPersonNeeds(t *testing.T) {
	b := newBench(t, router.Settings{DelayedRetries: []time.Duration{10 * time.Second}})
	began := b.Now()
	cause := "reserving " + strings.Repeat("very ", 400) + "long:\nthe shelf \x1b[31mo1 is locked"
	b.created = func(context.Context, *store.Tx) error { return errors.New(cause) }
	id := uuid.New()
	o := created("o1")
	raw, err := events.Encode(events.Envelope{EventID: id, CorrelationID: "corr", Timestamp: began, SourceService: events.OrdersService, EventVersion: "1.0", EventType: "order.created"}, o)
	require.NoError(t, err)
	raw = []byte(strings.ReplaceAll(string(raw), `,"`, ` , "`)) // its own bytes
	topic := o.Contract().Topic()
	b.ReceiveRaw(topic, id, raw, message.Metadata{router.MetaEventID: id.String(), "x-tenant": "north", router.MetaPartition: "3", router.MetaOffset: "1234"})
	require.Empty(t, b.letters(), "it retries")
	b.Advance(12 * time.Second)

	letters := b.letters()
	require.Len(t, letters, 1)
	p := letters[0]
	require.Equal(t, string(raw), string(p.Payload))
	require.Equal(t, map[string]string{router.MetaEventID: id.String(), "x-tenant": "north"}, p.Metadata)
	require.Equal(t, []any{"o1", topic, "3", "1234", 2, router.CodeHandlerFailed, "corr", true}, []any{p.Key, p.Topic, p.Partition, p.Offset, p.Attempts, p.Code, p.CorrelationID, p.Held})
	require.Equal(t, began, *p.FailedFirst)
	require.Equal(t, began.Add(12*time.Second), *p.FailedLast)
	require.NotEmpty(t, p.Fingerprint)
	require.LessOrEqual(t, len(p.Detail), 1024)
	require.True(t, strings.HasPrefix(p.Detail, "reserving very ") && strings.HasSuffix(p.Detail, "the shelf  [31mo1 is locked"), "the root cause, on one line: %s", p.Detail)

	var n store.Notice
	b.View(func(ctx context.Context, r store.Reader) error {
		var body []byte
		require.NoError(t, r.QueryRow(ctx, "SELECT payload FROM outbox WHERE topic = $1 AND event_type = $2", topic+".dlq", store.NoticeType).Scan(&body))
		n, err = store.ReadNotice(body)
		return err
	})
	require.Equal(t, map[string]string{
		"__dlq.errors.topic": topic, "__dlq.errors.partition": "3", "__dlq.errors.offset": "1234", "__dlq.errors.consumer": "test",
		"__dlq.errors.code": router.CodeHandlerFailed, "__dlq.errors.message": p.Detail, "__dlq.errors.timestamp": "2026-01-15T12:00:12Z",
	}, n.Headers())
	require.Equal(t, []any{id.String(), "o1", 2}, []any{n.EventID, n.Key, n.Attempts})
}

func TestARefusedMessageHasANoticeToo(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.ReceiveRaw(created("o1").Contract().Topic(), uuid.New(), []byte("{"), nil)
	b.View(func(ctx context.Context, r store.Reader) error {
		var n int
		require.NoError(t, r.QueryRow(ctx, "SELECT COUNT(*) FROM outbox WHERE event_type = $1", store.NoticeType).Scan(&n))
		require.Equal(t, 1, n)
		rows, err := store.Recorded(ctx, r, 0, 10)
		require.Empty(t, rows, "a notice is no event")
		return err
	})
}

// outage fails every event of the bench until it is mended.
func (b *bench) outage() (mend func(), tried func() int) {
	down, calls := true, 0
	b.created = func(context.Context, *store.Tx) error {
		calls++
		if down {
			return fmt.Errorf("warehouse %d of order_%d does not answer", calls%3, calls)
		}
		return nil
	}
	return func() { down = false }, func() int { return calls }
}

// TestTheCircuitSparesHealthyEvents: the handler is down for five minutes. The circuit opens, at most one event a second is
// tried, none becomes a dead letter, and all are applied when the handler is back.
func TestTheCircuitSparesHealthyEvents(t *testing.T) {
	b := newBench(t, router.Settings{DelayedRetries: []time.Duration{10 * time.Second, time.Minute}})
	mend, tried := b.outage()
	const orders = 60
	for n := range orders {
		b.Receive(created(fmt.Sprintf("o%d", n)))
	}
	require.Equal(t, 10, tried(), "the circuit opens at the tenth failure")
	require.Equal(t, []int64{10, orders - 10}, []int64{b.count(store.Retrying), b.count(store.Waiting)})
	for range 5 * 60 * 2 {
		before := tried()
		b.Advance(500 * time.Millisecond)
		require.LessOrEqual(t, tried()-before, 1)
	}
	require.InDelta(t, 10+5*60, tried(), 1, "one probe a second")
	require.Empty(t, b.letters(), "no healthy event is a dead letter")
	mend()
	b.Advance(time.Second)
	b.Advance(time.Second)
	b.Advance(2 * time.Minute) // retries that were planned
	require.Len(t, b.handled(), orders)
	require.Zero(t, b.count(store.Waiting)+b.count(store.Retrying))
	b.Receive(created("later"))
	b.WantApplied()
	b.WantIdempotent()
}

// TestAProbeThatIsBadItselfKeepsNobodyWaiting: events that fail for the cause after all do not keep the circuit open.
func TestAProbeThatIsBadItselfKeepsNobodyWaiting(t *testing.T) {
	b := newBench(t, router.Settings{DelayedRetries: []time.Duration{time.Hour}})
	calls := 0
	b.created = func(context.Context, *store.Tx) error {
		if calls++; calls <= 10 {
			return errors.New("bad")
		}
		return nil
	}
	for n := range 12 {
		b.Receive(created(fmt.Sprintf("o%d", n)))
	}
	require.EqualValues(t, 2, b.count(store.Waiting))
	calls = 0 // the next ten tries fail, whoever they are
	for range 11 {
		b.Advance(time.Second)
	}
	require.Subset(t, b.handled(), []string{"created o10", "created o11"})
	require.Empty(t, b.letters())
}

func TestOnePoisonKeyDoesNotOpenTheCircuit(t *testing.T) {
	b := newBench(t, router.Settings{})
	poison := true
	b.created = func(context.Context, *store.Tx) error {
		if poison {
			return errors.New("bad")
		}
		return nil
	}
	for n := range 100 {
		poison = n%3 == 0
		b.Receive(created(fmt.Sprintf("o%d", n)))
	}
	require.Len(t, b.letters(), 34)
	require.Len(t, b.handled(), 66)
}
