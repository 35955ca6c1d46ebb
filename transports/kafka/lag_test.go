package kafka_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// What nobody takes is lag, partition by partition; what is acknowledged is none any more.
func TestLagIsToldByPartition(t *testing.T) {
	addresses, _ := kafkatest.Brokers(t)
	kafkatest.Reset(t, addresses)
	o := driver.Options{
		Config: configured(addresses), Consumers: map[string][]string{"reader": {"a.v1"}}, Topics: []driver.Topic{{Name: "a.v1"}},
		KeysInFlight: 64, Logger: slog.New(slog.DiscardHandler),
	}
	transport := openTransport(t, o)
	sub, err := transport.Subscriber("reader")
	require.NoError(t, err)
	arriving, err := sub.Subscribe(t.Context(), "a.v1")
	require.NoError(t, err)
	const events = 40
	for i := range events {
		msg := message.NewMessage(fmt.Sprintf("%d", i), nil)
		msg.Metadata.Set(driver.KeyMetadata, fmt.Sprintf("key_%d", i))
		require.NoError(t, transport.Publisher().Publish("a.v1", msg))
	}
	var taken []*message.Message
	published := map[string]int64{}
	for range events {
		msg := <-arriving
		taken = append(taken, msg)
		published[msg.Metadata.Get(driver.PartitionMetadata)]++
	}
	require.Greater(t, len(published), 1, "keys spread")
	lag := func() (driver.Lag, map[string]int64) {
		standing, err := transport.Standing(t.Context())
		require.NoError(t, err)
		require.Len(t, standing.Lag, 1)
		behind := map[string]int64{}
		for number, n := range standing.Lag[0].Partitions {
			if n > 0 {
				behind[fmt.Sprint(number)] = n
			}
		}
		return standing.Lag[0], behind
	}
	all, behind := lag()
	require.Equal(t, published, behind)
	require.EqualValues(t, events, all.Events)
	require.Len(t, all.Partitions, 4, "those without lag, too")
	for _, msg := range taken {
		msg.Ack()
	}
	require.Eventually(t, func() bool { all, behind = lag(); return all.Events == 0 && len(behind) == 0 }, 20*time.Second, 10*time.Millisecond)
}
