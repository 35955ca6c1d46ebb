package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/transports/driver"
)

// admin implements driver.Admin.
type admin struct {
	*Transport
	o driver.Options
}

func openAdmin(ctx context.Context, o driver.Options) (driver.Admin, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	common, err := clientOptions(o.Config.Kafka)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(common...)
	if err != nil {
		return nil, fmt.Errorf("transport.kafka: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, driver.AnswerTimeout, errNoAnswer)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, explain(o.Config.Kafka, err)
	}
	return &admin{&Transport{log: o.Logger, client: client, admin: kadm.NewClient(client)}, o}, nil
}

// Plan implements driver.Admin. More partitions would send the later events of a key elsewhere than its earlier ones, and
// another replication moves data: both are a person's decision.
func (a *admin) Plan(ctx context.Context) ([]driver.Change, error) {
	states, configs, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	var changes []driver.Change
	c := a.o.Config.Kafka.Topics
	for i, topic := range a.o.Topics {
		state := states[i]
		if !state.Exists {
			changes = append(changes, driver.Change{Topic: topic.Name, Action: "create", Detail: fmt.Sprintf("%d partitions, replication %d, retention %s", c.Partitions, c.Replication, driver.RetentionText(topic.Retention))})
			continue
		}
		for name, want := range topicConfigs(c, topic) {
			if have := configs[topic.Name][name]; have != *want {
				changes = append(changes, driver.Change{Topic: topic.Name, Action: "set", Detail: name + ": " + have + " → " + *want})
			}
		}
		if state.Partitions != c.Partitions {
			changes = append(changes, driver.Change{Topic: topic.Name, Action: driver.Drift, Detail: fmt.Sprintf("%d partitions, configured are %d", state.Partitions, c.Partitions),
				Remedy: fmt.Sprintf("set transport.kafka.topics.partitions to %d; or, as a new number parts a key's later events from its earlier ones, stop publishing, let every consumer catch up, and change the topic with Kafka's tools (fewer: delete it first)", state.Partitions)})
		}
		if state.Replication != c.Replication {
			changes = append(changes, driver.Change{Topic: topic.Name, Action: driver.Drift, Detail: fmt.Sprintf("replication %d, configured is %d", state.Replication, c.Replication),
				Remedy: fmt.Sprintf("set transport.kafka.topics.replication to %d, or reassign the topic's partitions with Kafka's tools", state.Replication)})
		}
	}
	return changes, nil
}

// read is how the topics are, and their settings by topic and name.
func (a *admin) read(ctx context.Context) ([]driver.TopicState, map[string]map[string]string, error) {
	have, err := a.topics(ctx)
	if err != nil {
		return nil, nil, explain(a.o.Config.Kafka, err)
	}
	states := make([]driver.TopicState, len(a.o.Topics))
	var there []string
	for i, topic := range a.o.Topics {
		f, exists := have[topic.Name]
		states[i] = driver.TopicState{Topic: topic.Name, Exists: exists, Partitions: f.partitions, Replication: f.replication, Consumers: a.o.Hearers(topic.Name)}
		if exists {
			there = append(there, topic.Name)
		}
	}
	configs := map[string]map[string]string{}
	if len(there) == 0 {
		return states, configs, nil
	}
	described, err := a.admin.DescribeTopicConfigs(ctx, there...)
	if err != nil {
		return nil, nil, explain(a.o.Config.Kafka, err)
	}
	for _, d := range described {
		configs[d.Name] = map[string]string{}
		for _, c := range d.Configs {
			configs[d.Name][c.Key] = c.MaybeValue()
		}
	}
	return states, configs, nil
}

// Apply implements driver.Admin.
func (a *admin) Apply(ctx context.Context, changes []driver.Change) error {
	wanted := map[string]driver.Topic{}
	for _, topic := range a.o.Topics {
		wanted[topic.Name] = topic
	}
	c := a.o.Config.Kafka.Topics
	set := map[string]bool{}
	var create []driver.Topic
	for _, change := range changes {
		topic := wanted[change.Topic]
		switch {
		case change.Action == "create":
			create = append(create, topic)
		case change.Action == "set" && !set[topic.Name]:
			set[topic.Name] = true
			if err := a.set(ctx, topicConfigs(c, topic), topic.Name); err != nil {
				return fmt.Errorf("setting the topic %s: %w", topic.Name, err)
			}
		}
	}
	if err := a.create(ctx, c, create); err != nil {
		return err
	}
	return a.settled(ctx, changes)
}

func (a *admin) set(ctx context.Context, configs map[string]*string, topic string) error {
	var alter []kadm.AlterConfig
	for name, value := range configs {
		alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: value})
	}
	answers, err := a.admin.AlterTopicConfigs(ctx, alter, topic)
	if err == nil {
		_, err = answers.On(topic, nil)
	}
	return err
}

// settled returns when the brokers show what was changed: the controller answers before they have heard of it, so that who
// asks them next would find the old state.
func (a *admin) settled(ctx context.Context, changes []driver.Change) error {
	ctx, cancel := context.WithTimeoutCause(ctx, createTimeout, errNoAnswer)
	defer cancel()
	for {
		left, err := a.Plan(ctx)
		if err != nil {
			return err
		}
		open := slices.IndexFunc(left, func(c driver.Change) bool {
			return c.Action != driver.Drift && slices.ContainsFunc(changes, func(made driver.Change) bool { return made.Topic == c.Topic })
		})
		if open < 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the topic %s was changed, but the brokers do not show it (%s): %w", left[open].Topic, left[open].Detail, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// List implements driver.Admin.
func (a *admin) List(ctx context.Context) ([]driver.TopicState, error) {
	states, configs, err := a.read(ctx)
	if err != nil {
		return nil, err
	}
	for i := range states {
		if !states[i].Exists {
			continue
		}
		starts, err := a.admin.ListStartOffsets(ctx, states[i].Topic)
		if err != nil {
			return nil, err
		}
		ends, err := a.admin.ListEndOffsets(ctx, states[i].Topic)
		if err != nil {
			return nil, err
		}
		ends.Each(func(end kadm.ListedOffset) {
			if start, known := starts.Lookup(end.Topic, end.Partition); known {
				states[i].Events += end.Offset - start.Offset
			}
		})
		if ms, err := strconv.ParseInt(configs[states[i].Topic]["retention.ms"], 10, 64); err == nil {
			states[i].Retention = driver.RetentionText(max(0, time.Duration(ms)*time.Millisecond))
		}
	}
	return states, nil
}

// Doctor implements driver.Admin: groups whose committed position is behind what a topic still keeps have missed events.
func (a *admin) Doctor(ctx context.Context) ([]driver.Finding, error) {
	var findings []driver.Finding
	for consumer, topics := range a.o.Audience {
		group := a.o.ConsumerName(consumer)
		committed, err := a.committed(ctx, group)
		if errors.Is(err, kerr.GroupIDNotFound) {
			continue // it has not begun
		}
		if err != nil {
			return nil, explain(a.o.Config.Kafka, err)
		}
		starts, err := a.admin.ListStartOffsets(ctx, topics...)
		if err != nil {
			return nil, explain(a.o.Config.Kafka, err)
		}
		ends, err := a.admin.ListEndOffsets(ctx, topics...)
		if err != nil {
			return nil, explain(a.o.Config.Kafka, err)
		}
		committed.Each(func(at kadm.OffsetResponse) {
			start, known := starts.Lookup(at.Topic, at.Partition)
			end, _ := ends.Lookup(at.Topic, at.Partition)
			switch {
			case !known || start.Err != nil:
			case at.At < start.Offset:
				findings = append(findings, driver.Finding{
					Problem: fmt.Sprintf("%s stands at offset %d of %s/%d, which begins at %d: %d events are gone", group, at.At, at.Topic, at.Partition, start.Offset, start.Offset-at.At),
					Remedy:  "the publisher's outbox may still have them (store.outbox_retention); keep consumers within the topic's retention",
				})
			case at.At > end.Offset:
				findings = append(findings, driver.Finding{
					Problem: fmt.Sprintf("%s stands at offset %d of %s/%d, which ends at %d: the topic was made anew or restored", group, at.At, at.Topic, at.Partition, end.Offset),
					Remedy:  "the group starts at the topic's first event by itself; duplicates are absorbed",
				})
			}
		})
	}
	return findings, nil
}

// committed is where a group stands. A cluster that no group has used yet makes its coordinator when it is first asked for one.
func (a *admin) committed(ctx context.Context, group string) (kadm.OffsetResponses, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, createTimeout, errNoAnswer)
	defer cancel()
	for {
		committed, err := a.admin.FetchOffsets(ctx, group)
		if !errors.Is(err, kerr.CoordinatorNotAvailable) && !errors.Is(err, kerr.CoordinatorLoadInProgress) {
			return committed, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Close implements driver.Admin.
func (a *admin) Close() error {
	a.client.Close()
	return nil
}
