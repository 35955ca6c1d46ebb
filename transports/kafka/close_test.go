package kafka_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// inHand opens a transport of several consumers, each of which has an event in hand.
func inHand(t *testing.T, addresses []string, names ...string) (driver.Transport, map[string]*message.Message) {
	t.Helper()
	o := driver.Options{
		Config: configured(addresses), Consumers: map[string][]string{}, Topics: []driver.Topic{{Name: "a.v1"}},
		KeysInFlight: 64, Logger: slog.New(slog.DiscardHandler),
	}
	for _, name := range names {
		o.Consumers[name] = []string{"a.v1"}
	}
	tr := openTransport(t, o)
	require.NoError(t, tr.Publisher().Publish("a.v1", message.NewMessage("1", nil)))
	inHand := map[string]*message.Message{}
	for _, name := range names {
		sub, err := tr.Subscriber(name)
		require.NoError(t, err)
		arriving, err := sub.Subscribe(context.WithoutCancel(t.Context()), "a.v1")
		require.NoError(t, err)
		inHand[name] = <-arriving
	}
	return tr, inHand
}

// A process that stops while the brokers are away has a minute or less until it is killed, whatever the number of its services.
func TestCloseWithoutABrokerIsBounded(t *testing.T) {
	cluster := kafkatest.Cluster(t)
	tr, inHand := inHand(t, cluster.ListenAddrs(), "one", "two", "three", "four", "five")
	cluster.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, nil, true // no answer
	})
	for _, msg := range inHand {
		msg.Ack() // to be committed
	}
	began, closed := time.Now(), make(chan error)
	go func() { closed <- tr.Close() }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(20 * time.Second): // four times what the brokers are waited for
		t.Error("closing goes on")
		require.NoError(t, <-closed)
	}
	t.Logf("closed after %s", time.Since(began).Round(time.Millisecond))
}

// While one consumer finishes what it has in hand, the others take nothing more either.
func TestAllConsumersDrainTogether(t *testing.T) {
	addresses, _ := kafkatest.Fake(t)
	names := []string{"one", "three", "two"}
	tr, inHand := inHand(t, addresses, names...)
	ctx, cancel := context.WithCancel(t.Context())
	drained := make(chan error)
	go func() { drained <- tr.Drain(ctx) }()
	for _, name := range names {
		require.Eventually(t, func() bool { return kafka.Draining(tr, name) }, 10*time.Second, time.Millisecond, name)
	}
	cancel()
	require.EqualError(t, <-drained, "kafka: draining one: context canceled\nkafka: draining three: context canceled\nkafka: draining two: context canceled")

	for _, msg := range inHand {
		msg.Ack()
	}
	require.NoError(t, tr.Drain(t.Context()))
}
