package kafka_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/transporttest"
)

// brokers are those that TEST_KAFKA names, else an in-process stand-in.
func brokers(t *testing.T) (addresses []string, real bool) {
	t.Helper()
	if named := os.Getenv("TEST_KAFKA"); named != "" {
		return strings.Split(named, ","), true
	}
	if os.Getenv("REQUIRE_BROKERS") != "" {
		t.Fatal("TEST_KAFKA names no broker")
	}
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(0))
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	return fake.ListenAddrs(), false
}

func configured(addresses []string) config.Transport {
	return config.Transport{
		Driver: "kafka", ConsumerPrefix: "test",
		Kafka: config.Kafka{Brokers: addresses, Topics: config.KafkaTopics{Provision: true, Partitions: 4, Replication: 1}},
	}
}

func TestSuites(t *testing.T) {
	addresses, real := brokers(t)
	transporttest.Run(t, transporttest.Setup{Driver: kafka.Driver, Config: configured(addresses), Short: !real})
}
