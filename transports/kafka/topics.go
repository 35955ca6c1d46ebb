package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
)

const createTimeout = 60 * time.Second // of many topics, by a controller that is busy with them

// found is a topic as the cluster has it.
type found struct{ partitions, replication int }

// topics are those that the cluster has, asked of a broker and not of the client's memory.
func (t *Transport) topics(ctx context.Context) (map[string]found, error) {
	answer, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, t.client)
	if err != nil {
		return nil, err
	}
	have := map[string]found{}
	for _, topic := range answer.Topics {
		if topic.Topic == nil || kerr.ErrorForCode(topic.ErrorCode) != nil {
			continue
		}
		f := found{partitions: len(topic.Partitions)}
		if f.partitions > 0 {
			f.replication = len(topic.Partitions[0].Replicas)
		}
		have[*topic.Topic] = f
	}
	return have, nil
}

// missing are the topics that the cluster does not have.
func (t *Transport) missing(ctx context.Context, wanted []driver.Topic) ([]driver.Topic, error) {
	if len(wanted) == 0 {
		return nil, nil
	}
	have, err := t.topics(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(topic driver.Topic) bool {
		_, there := have[topic.Name]
		return there
	}), nil
}

// create makes topics and waits until the brokers know them; one that another process makes at the same time is fine. Topics of
// the same settings are one request: a controller takes its time for each.
func (t *Transport) create(ctx context.Context, c config.KafkaTopics, topics []driver.Topic) error {
	ctx, cancel := context.WithTimeoutCause(ctx, createTimeout, errNoAnswer)
	defer cancel()
	alike := map[time.Duration][]driver.Topic{}
	for _, topic := range topics {
		alike[topic.Retention] = append(alike[topic.Retention], topic)
	}
	for _, some := range alike {
		if err := t.createAlike(ctx, c, some); err != nil {
			return err
		}
	}
	for {
		missing, err := t.missing(ctx, topics)
		if len(missing) == 0 && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("topics were created, but the brokers do not show them after %v; start again when the brokers are less busy: %w", createTimeout, errors.Join(err, context.Cause(ctx)))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// createAlike makes topics that have the same settings.
func (t *Transport) createAlike(ctx context.Context, c config.KafkaTopics, topics []driver.Topic) error {
	names := make([]string, len(topics))
	for i, topic := range topics {
		names[i] = topic.Name
	}
	answers, err := t.admin.CreateTopics(ctx, int32(c.Partitions), int16(c.Replication), topicConfigs(c, topics[0]), names...)
	if err != nil {
		return fmt.Errorf("creating the topic %s (and %d others): %w", names[0], len(names)-1, err)
	}
	for _, answer := range answers.Sorted() {
		switch {
		case errors.Is(answer.Err, kerr.TopicAlreadyExists):
		case answer.Err != nil:
			return fmt.Errorf("creating the topic %s (transport.kafka.topics: partitions %d, replication %d): %w", answer.Topic, c.Partitions, c.Replication, answer.Err)
		default:
			t.log.InfoContext(ctx, "created a topic", "topic", answer.Topic, "partitions", c.Partitions, "replication", c.Replication)
		}
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
