package kafka_test

import (
	"testing"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
	"github.com/first-viscount/viscount/transports/transporttest"
)

func configured(addresses []string) config.Transport {
	return config.Transport{
		Driver: "kafka", ConsumerPrefix: "test",
		Kafka: config.Kafka{Brokers: addresses, Topics: config.KafkaTopics{Provision: true, Partitions: 4, Replication: 1}},
	}
}

func TestSuites(t *testing.T) {
	addresses, real := kafkatest.Brokers(t)
	transporttest.Run(t, transporttest.Setup{Driver: kafka.Driver, Config: configured(addresses), Short: !real})
}
