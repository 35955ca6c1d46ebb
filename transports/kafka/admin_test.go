package kafka_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

func actions(changes []driver.Change) (list []string) {
	for _, c := range changes {
		list = append(list, c.Action+" "+c.Topic)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Topics follow contracts and configuration; what would harm is shown as drift and left alone.
func TestTopicsAsCode(t *testing.T) {
	addresses, _ := kafkatest.Brokers(t)
	kafkatest.Reset(t, addresses)
	o := driver.Options{
		Config: configured(addresses), Audience: map[string][]string{"reader": {"a.v1", "b.v1"}},
		Topics: []driver.Topic{{Name: "a.v1", Retention: 48 * time.Hour}, {Name: "b.v1"}},
	}
	admin := func() driver.Admin {
		a, err := kafka.Driver.Admin(t.Context(), o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, a.Close()) })
		return a
	}
	a := admin()
	plan, err := a.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"create a.v1", "create b.v1"}, actions(plan))
	require.NoError(t, a.Apply(t.Context(), plan))
	require.NoError(t, a.Apply(t.Context(), plan), "again")
	plan, err = a.Plan(t.Context())
	require.NoError(t, err)
	require.Empty(t, plan)

	states, err := a.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, driver.TopicState{Topic: "a.v1", Exists: true, Partitions: 4, Replication: 1, Retention: "2 days", Consumers: []string{"test-reader"}}, states[0])
	require.Equal(t, "unlimited", states[1].Retention)

	o.Topics[0].Retention, o.Config.Kafka.Topics.Partitions = time.Hour, 6
	changed := admin()
	plan, err = changed.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"drift a.v1", "drift b.v1", "set a.v1"}, actions(plan))
	require.NoError(t, changed.Apply(t.Context(), plan))
	plan, err = changed.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"drift a.v1", "drift b.v1"}, actions(plan))
	findings, err := changed.Doctor(t.Context())
	require.NoError(t, err)
	require.Empty(t, findings)
}

// A missing topic with provisioning off, and brokers that are not there, are told at start, with the setting.
func TestStartNamesTheSetting(t *testing.T) {
	addresses, _ := kafkatest.Brokers(t)
	kafkatest.Reset(t, addresses)
	off := configured(addresses)
	off.Kafka.Topics.Provision = false
	_, err := kafka.Driver.Open(t.Context(), driver.Options{Config: off, Topics: []driver.Topic{{Name: "a.v1"}, {Name: "b.v1"}}})
	require.ErrorContains(t, err, "the topic a.v1 does not exist (and 1 others): run viscount topics apply, or set transport.kafka.topics.provision")

	_, err = kafka.Driver.Open(t.Context(), driver.Options{Config: configured([]string{"127.0.0.1:1"})})
	require.ErrorContains(t, err, "no Kafka broker answers at 127.0.0.1:1 (transport.kafka.brokers)")
}
