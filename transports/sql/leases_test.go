package sql_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/driver"
)

// A foreign transaction that stays open holds up the topic that it writes to, and nothing else of a process with one connection.
func TestAForeignTransactionHoldsUpItsTopicAlone(t *testing.T) {
	o := options(t)
	o.Consumers = map[string][]string{"reader": {"a.v1", "b.v1"}}
	o.Topics = append(o.Topics, driver.Topic{Name: "b.v1"})
	tr := open(t, o)
	sub, err := tr.Subscriber("reader")
	require.NoError(t, err)
	arriving := map[string]<-chan *message.Message{}
	for _, topic := range []string{"a.v1", "b.v1"} {
		arriving[topic], err = sub.Subscribe(t.Context(), topic)
		require.NoError(t, err)
	}
	next := func(topic string) string {
		select {
		case msg := <-arriving[topic]:
			msg.Ack()
			return msg.UUID
		case <-time.After(60 * time.Second):
			t.Fatalf("nothing comes on %s", topic)
			return ""
		}
	}
	relay := func(topic, id string) { // again and again, as an outbox's relay does
		msg := message.NewMessage(id, []byte("{}"))
		msg.Metadata.Set(driver.KeyMetadata, topic)
		for tr.Publisher().Publish(topic, msg) != nil && t.Context().Err() == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}
	relay("b.v1", "before")
	require.Equal(t, "before", next("b.v1"), "it holds the leases")

	conn, err := pgx.Connect(t.Context(), o.Config.SQL.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	var table string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'transport' AND tablename LIKE 't\_a%'`).Scan(&table))
	foreign, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = foreign.Exec(t.Context(), `INSERT INTO transport.`+table+` (key, payload) VALUES ('a.v1', '{}')`)
	require.NoError(t, err)
	published := make(chan struct{})
	go func() {
		defer close(published)
		relay("a.v1", "first")
		relay("a.v1", "second")
	}()
	renewals, lapsed := watchLeases(t, o)
	for i := 0; renewals.Load() < 2; i++ {
		relay("b.v1", fmt.Sprint(i))
		require.Equal(t, fmt.Sprint(i), next("b.v1"))
	}
	require.NoError(t, foreign.Commit(t.Context()))
	for _, id := range []string{"a.v1/1", "first", "second"} {
		require.Equal(t, id, next("a.v1"))
	}
	<-published
	require.False(t, lapsed(), "another instance could have taken its keys")
	require.NoError(t, tr.Close())
}

// watchLeases counts how often the leases are renewed, and tells when it is asked whether one ran out since.
func watchLeases(t *testing.T, o driver.Options) (renewals *atomic.Int32, lapsed func() bool) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), o.Config.SQL.URL)
	require.NoError(t, err)
	stop, result := make(chan struct{}), make(chan bool, 1)
	renewals = new(atomic.Int32)
	go func() {
		defer func() { _ = conn.Close(context.Background()) }()
		var last time.Time
		for ever := false; ; time.Sleep(20 * time.Millisecond) {
			var until time.Time
			var over bool
			if err := conn.QueryRow(context.Background(), `SELECT min(until), min(until) < now() FROM transport.consumer_buckets`).Scan(&until, &over); err != nil {
				t.Error(err)
			}
			if !last.IsZero() && until.After(last) {
				renewals.Add(1)
			}
			last, ever = until, ever || over
			select {
			case <-stop:
				result <- ever
				return
			default:
			}
		}
	}()
	return renewals, func() bool { close(stop); return <-result }
}

// While it drains, an instance keeps the keys of what is in flight, and takes no others.
func TestADrainKeepsItsLeases(t *testing.T) {
	o := options(t)
	o.Consumers["other"] = []string{"a.v1"}
	tr := open(t, o)
	publish(t, tr, "a")
	var inFlight []*message.Message
	for consumer := range o.Consumers {
		sub, err := tr.Subscriber(consumer)
		require.NoError(t, err)
		messages, err := sub.Subscribe(t.Context(), "a.v1")
		require.NoError(t, err)
		inFlight = append(inFlight, <-messages)
	}
	drained := make(chan error, 1)
	go func() { drained <- tr.Drain(context.Background()) }()
	renewals, lapsed := watchLeases(t, o)
	renewed := func(times int32) func() bool { return func() bool { return renewals.Load() >= times } }
	require.Eventually(t, renewed(2), 30*time.Second, 20*time.Millisecond, "it renews its leases no more")

	execute(t, o, `UPDATE transport.consumer_buckets SET instance = NULL, until = NULL WHERE bucket < 32`) // as one that leaves does
	require.Eventually(t, renewed(renewals.Load()+2), 30*time.Second, 20*time.Millisecond, "it renews its leases no more")
	require.False(t, lapsed())
	conn, err := pgx.Connect(t.Context(), o.Config.SQL.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	held := func() (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(instance) FROM transport.consumer_buckets`).Scan(&n))
		return n
	}
	require.Equal(t, 64, held(), "of two consumers")
	for _, msg := range inFlight {
		msg.Ack()
	}
	require.NoError(t, <-drained)
	require.NoError(t, tr.Close())
	require.Zero(t, held())
}
