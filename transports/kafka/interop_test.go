package kafka_test

import (
	"testing"
	"time"

	"github.com/IBM/sarama"
	wmkafka "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

func next(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg := <-messages:
		msg.Ack()
		return msg
	case <-time.After(30 * time.Second):
		t.Fatal("no message came")
		return nil
	}
}

// Stock Watermill reads what we write, and we read what stock Watermill writes; a record of a foreign producer needs neither
// headers nor key.
func TestStockWatermillAndForeignRecords(t *testing.T) {
	addresses, _ := kafkatest.Brokers(t)
	kafkatest.Reset(t, addresses)
	tr, err := kafka.Driver.Open(t.Context(), driver.Options{
		Config: configured(addresses), Consumers: map[string][]string{"reader": {"a.v1"}}, Topics: []driver.Topic{{Name: "a.v1"}, {Name: "b.v1"}}, KeysInFlight: 4,
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, tr.Close()) }()
	sub, err := tr.Subscriber("reader")
	require.NoError(t, err)
	ours, err := sub.Subscribe(t.Context(), "a.v1")
	require.NoError(t, err)

	saramaConfig := wmkafka.DefaultSaramaSyncPublisherConfig()
	saramaConfig.Version = sarama.V2_3_0_0
	stockPublisher, err := wmkafka.NewPublisher(wmkafka.PublisherConfig{Brokers: addresses, Marshaler: kafka.Marshaler{}, OverwriteSaramaConfig: saramaConfig}, nil)
	require.NoError(t, err)
	msg := message.NewMessage("id-1", []byte("{}"))
	msg.Metadata = message.Metadata{driver.KeyMetadata: "order_1", "correlation_id": "c", driver.RoundMetadata: "2"}
	require.NoError(t, stockPublisher.Publish("a.v1", msg))
	require.NoError(t, stockPublisher.Close())
	got := next(t, ours)
	require.Equal(t, "id-1", got.UUID)
	require.Equal(t, "order_1", got.Metadata.Get(driver.KeyMetadata))
	require.Equal(t, "c", got.Metadata.Get("correlation_id"))
	require.Empty(t, got.Metadata.Get(driver.RoundMetadata))

	client, err := kgo.NewClient(kgo.SeedBrokers(addresses...))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "a.v1", Value: []byte("foreign")}).FirstErr())
	got = next(t, ours)
	require.Equal(t, "foreign", string(got.Payload))
	require.Contains(t, got.UUID, "a.v1/", "its place is its name")
	require.NotEmpty(t, got.Metadata.Get(driver.PartitionMetadata))

	subscriberConfig := wmkafka.DefaultSaramaSubscriberConfig()
	subscriberConfig.Version, subscriberConfig.Consumer.Offsets.Initial = sarama.V2_3_0_0, sarama.OffsetOldest
	stockSubscriber, err := wmkafka.NewSubscriber(wmkafka.SubscriberConfig{Brokers: addresses, Unmarshaler: kafka.Marshaler{}, OverwriteSaramaConfig: subscriberConfig, ConsumerGroup: "stock"}, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, stockSubscriber.Close()) }()
	msg = message.NewMessage("id-2", []byte("{ }"))
	msg.Metadata = message.Metadata{driver.KeyMetadata: "order_2", "event_type": "order.created"}
	require.NoError(t, tr.Publisher().Publish("b.v1", msg))
	stock, err := stockSubscriber.Subscribe(t.Context(), "b.v1")
	require.NoError(t, err)
	got = next(t, stock)
	require.Equal(t, "id-2", got.UUID)
	require.Equal(t, "{ }", string(got.Payload))
	require.Equal(t, "order.created", got.Metadata.Get("event_type"))
	require.Equal(t, "order_2", got.Metadata.Get(driver.KeyMetadata))
}
