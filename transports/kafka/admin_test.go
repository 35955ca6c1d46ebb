package kafka_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

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
	for _, change := range plan {
		require.Contains(t, change.Remedy, "set transport.kafka.topics.partitions to 4", "apply cannot mend it")
	}
	findings, err := changed.Doctor(t.Context())
	require.NoError(t, err)
	require.Empty(t, findings)
}

// Doctor names a group whose events are gone, and one beyond the end of its topic.
func TestDoctorComparesPositions(t *testing.T) {
	addresses, _ := kafkatest.Brokers(t)
	kafkatest.Reset(t, addresses)
	a, err := kafka.Driver.Admin(t.Context(), driver.Options{Config: configured(addresses), Topics: []driver.Topic{{Name: "a.v1"}},
		Audience: map[string][]string{"late": {"a.v1"}, "ahead": {"a.v1"}, "well": {"a.v1"}, "new": {"a.v1"}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	plan, err := a.Plan(t.Context())
	require.NoError(t, err)
	require.NoError(t, a.Apply(t.Context(), plan))

	client, err := kgo.NewClient(kgo.SeedBrokers(addresses...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	for range 5 {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "a.v1", Partition: 1, Value: []byte("x")}).FirstErr())
	}
	admin := kadm.NewClient(client)
	at := func(offset int64) (all kadm.Offsets) {
		all.AddOffset("a.v1", 1, offset, -1)
		return all
	}
	_, err = admin.DeleteRecords(t.Context(), at(3))
	require.NoError(t, err)
	for group, offset := range map[string]int64{"test-late": 1, "test-ahead": 9, "test-well": 4} {
		require.NoError(t, admin.CommitAllOffsets(t.Context(), group, at(offset)))
	}
	findings, err := a.Doctor(t.Context())
	require.NoError(t, err)
	var problems []string
	for _, f := range findings {
		require.NotEmpty(t, f.Remedy)
		problems = append(problems, f.Problem)
	}
	require.ElementsMatch(t, []string{
		"test-late stands at offset 1 of a.v1/1, which begins at 3: 2 events are gone",
		"test-ahead stands at offset 9 of a.v1/1, which ends at 5: the topic was made anew or restored",
	}, problems)
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
