package kafka_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// warnings counts the lines of a log that warn of one thing.
type warnings struct {
	slog.Handler
	text string
	n    atomic.Int64
}

func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	if r.Level == slog.LevelWarn && r.Message == w.text {
		w.n.Add(1)
	}
	return nil
}

func (w *warnings) Enabled(context.Context, slog.Level) bool { return true }

func (w *warnings) WithAttrs([]slog.Attr) slog.Handler { return w }

// A handler that hangs holds up a rebalance for a while and no longer: the member that joins gets its partitions, and what the
// stuck one had in hand comes to it again.
func TestAStuckHandlerHoldsUpARebalanceForAWhileOnly(t *testing.T) {
	kafka.ShortenRevokes(t, 2*time.Second)
	addresses, _ := kafkatest.Brokers(t)
	kafkatest.Reset(t, addresses)
	warned := &warnings{Handler: slog.DiscardHandler, text: "a rebalance does not wait for events that are still being handled; they may be delivered twice"}
	o := driver.Options{
		Config: configured(addresses), Consumers: map[string][]string{"reader": {"a.v1"}}, Topics: []driver.Topic{{Name: "a.v1"}},
		KeysInFlight: 64, Logger: slog.New(warned),
	}
	stuck := openTransport(t, o)
	const events = 40
	for i := range events {
		msg := message.NewMessage(strconv.Itoa(i), nil)
		msg.Metadata.Set(driver.KeyMetadata, "key_"+strconv.Itoa(i))
		require.NoError(t, stuck.Publisher().Publish("a.v1", msg))
	}
	inHand := map[string][]string{} // by partition
	arriving := arrivals(t, stuck)
	for range events {
		msg := <-arriving // never to be acknowledged
		at := msg.Metadata.Get(driver.PartitionMetadata)
		inHand[at] = append(inHand[at], msg.UUID)
	}
	require.Len(t, inHand, 4)
	require.Zero(t, warned.n.Load())

	began := time.Now()
	joined := arrivals(t, openTransport(t, o))
	again := map[string][]string{}
	for missing := -1; missing != 0; {
		select {
		case msg := <-joined:
			msg.Ack()
			at := msg.Metadata.Get(driver.PartitionMetadata)
			again[at] = append(again[at], msg.UUID)
		case <-time.After(8 * time.Second): // four times the bound
			t.Fatalf("the new member does not get its partitions: %v after %s", again, time.Since(began))
		}
		if missing = 0; len(again) < 2 {
			missing = 1
		}
		for at := range again {
			missing += len(inHand[at]) - len(again[at])
		}
	}
	for at := range again {
		require.ElementsMatch(t, inHand[at], again[at])
	}
	require.EqualValues(t, 1, warned.n.Load(), "it is told")
	t.Logf("%d partitions went after %s", len(again), time.Since(began).Round(time.Millisecond))
}

func arrivals(t *testing.T, tr driver.Transport) <-chan *message.Message {
	t.Helper()
	sub, err := tr.Subscriber("reader")
	require.NoError(t, err)
	messages, err := sub.Subscribe(context.WithoutCancel(t.Context()), "a.v1")
	require.NoError(t, err)
	return messages
}

// Where the topics of a consumer have unequal partition counts, a key's topics may be read by two instances: that is told.
func TestUnequalPartitionCountsAreToldAsDegraded(t *testing.T) {
	addresses, _ := kafkatest.Brokers(t)
	kafkatest.Reset(t, addresses)
	client, err := kgo.NewClient(kgo.SeedBrokers(addresses...))
	require.NoError(t, err)
	defer client.Close()
	o := driver.Options{
		Config: configured(addresses), Consumers: map[string][]string{"reader": {"a.v1", "b.v1"}, "other": {"a.v1"}}, Topics: []driver.Topic{{Name: "a.v1"}, {Name: "b.v1"}},
		KeysInFlight: 64, Logger: slog.New(slog.DiscardHandler),
	}
	transport := openTransport(t, o) // makes them, of four partitions each
	standing, err := transport.Standing(t.Context())
	require.NoError(t, err)
	require.Empty(t, standing.Degraded)

	_, err = kadm.NewClient(client).CreatePartitions(t.Context(), 2, "b.v1")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		standing, err = transport.Standing(t.Context())
		return err == nil && len(standing.Degraded) > 0
	}, 20*time.Second, 20*time.Millisecond)
	require.Len(t, standing.Degraded, 1, "the other consumer hears one topic only")
	require.Contains(t, standing.Degraded[0], "the topics of reader have unequal partition counts")
	require.Contains(t, standing.Degraded[0], "4:a.v1")
	require.Contains(t, standing.Degraded[0], "6:b.v1")
}
