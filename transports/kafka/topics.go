package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
)

// missing are the topics that the cluster does not have.
func (t *Transport) missing(ctx context.Context, wanted []driver.Topic) ([]driver.Topic, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	names := make([]string, len(wanted))
	for i, topic := range wanted {
		names[i] = topic.Name
	}
	have, err := t.admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, err
	}
	var missing []driver.Topic
	for _, topic := range wanted {
		switch err := have[topic.Name].Err; {
		case err == nil && have.Has(topic.Name):
		case err == nil, errors.Is(err, kerr.UnknownTopicOrPartition):
			missing = append(missing, topic)
		default:
			return nil, fmt.Errorf("topic %s: %w", topic.Name, err)
		}
	}
	return missing, nil
}

// create makes topics; one that another process makes at the same time is fine.
func (t *Transport) create(ctx context.Context, c config.KafkaTopics, topics []driver.Topic) error {
	for _, topic := range topics {
		_, err := t.admin.CreateTopic(ctx, int32(c.Partitions), int16(c.Replication), topicConfigs(c, topic), topic.Name)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			continue
		}
		if err != nil {
			return fmt.Errorf("creating the topic %s (transport.kafka.topics: partitions %d, replication %d): %w", topic.Name, c.Partitions, c.Replication, err)
		}
		t.log.InfoContext(ctx, "created a topic", "topic", topic.Name, "partitions", c.Partitions, "replication", c.Replication)
	}
	return nil
}

// topicConfigs are what a topic should be set to.
func topicConfigs(c config.KafkaTopics, topic driver.Topic) map[string]*string {
	retention := "-1"
	if topic.Retention > 0 {
		retention = strconv.FormatInt(topic.Retention.Milliseconds(), 10)
	}
	policy, inSync := "delete", strconv.Itoa(max(1, c.Replication-1))
	return map[string]*string{"retention.ms": &retention, "cleanup.policy": &policy, "min.insync.replicas": &inSync}
}
