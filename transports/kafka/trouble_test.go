package kafka_test

import (
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// refuse lets the cluster answer requests of one kind with an error, as long as there is one.
func refuse(cluster *kfake.Cluster, key kmsg.Key, code *atomic.Pointer[kerr.Error]) {
	cluster.ControlKey(int16(key), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		refusal := code.Load()
		if refusal == nil {
			return nil, nil, false
		}
		answer := request.ResponseKind()
		switch answer := answer.(type) {
		case *kmsg.JoinGroupResponse:
			answer.ErrorCode = refusal.Code
		case *kmsg.FetchResponse:
			for _, asked := range request.(*kmsg.FetchRequest).Topics {
				topic := kmsg.NewFetchResponseTopic()
				topic.Topic, topic.TopicID = asked.Topic, asked.TopicID
				for _, p := range asked.Partitions {
					partition := kmsg.NewFetchResponseTopicPartition()
					partition.Partition, partition.ErrorCode = p.Partition, refusal.Code
					topic.Partitions = append(topic.Partitions, partition)
				}
				answer.Topics = append(answer.Topics, topic)
			}
		case *kmsg.ListOffsetsResponse:
			for _, asked := range request.(*kmsg.ListOffsetsRequest).Topics {
				topic := kmsg.NewListOffsetsResponseTopic()
				topic.Topic = asked.Topic
				for _, p := range asked.Partitions {
					partition := kmsg.NewListOffsetsResponseTopicPartition()
					partition.Partition, partition.ErrorCode = p.Partition, refusal.Code
					topic.Partitions = append(topic.Partitions, partition)
				}
				answer.Topics = append(answer.Topics, topic)
			}
		}
		return answer, nil, true
	})
}

func readerOf(cluster *kfake.Cluster) driver.Options {
	return driver.Options{
		Config: configured(cluster.ListenAddrs()), Consumers: map[string][]string{"reader": {"a.v1"}}, Topics: []driver.Topic{{Name: "a.v1"}},
		KeysInFlight: 64, Logger: slog.New(slog.DiscardHandler),
	}
}

// waitDegraded waits until the transport tells one thing, or nothing, and returns it.
func waitDegraded(t *testing.T, tr driver.Transport, things int) string {
	t.Helper()
	var degraded []string
	require.Eventually(t, func() bool {
		standing, err := tr.Standing(t.Context())
		degraded = standing.Degraded
		return err == nil && len(degraded) == things
	}, 30*time.Second, 10*time.Millisecond, "%v", degraded)
	return strings.Join(degraded, "")
}

// A consumer that may not join its group handles nothing and has no lag: that is told, until it may.
func TestAConsumerThatMayNotJoinItsGroupIsToldAsDegraded(t *testing.T) {
	kafka.SetPassing(t, time.Hour) // a refusal is told all the same
	cluster := kafkatest.Cluster(t)
	var code atomic.Pointer[kerr.Error]
	code.Store(kerr.GroupAuthorizationFailed)
	refuse(cluster, kmsg.JoinGroup, &code)
	tr := openTransport(t, readerOf(cluster))
	arriving := arrivals(t, tr)
	require.NoError(t, tr.Publisher().Publish("a.v1", message.NewMessage("1", nil)))

	told := waitDegraded(t, tr, 1)
	require.Contains(t, told, "reader reads no events since ")
	require.Contains(t, told, "the group test-reader: GROUP_AUTHORIZATION_FAILED")
	require.Contains(t, told, "allow the user of transport.kafka to READ the group test-reader")

	code.Store(nil)
	(<-arriving).Ack()
	waitDegraded(t, tr, 0)
}

// A topic that may not be read, or not even be asked about, is told, too, and no longer once it may: without an event that shows
// it. The transport is there all the same.
func TestATopicThatMayNotBeReadIsToldAsDegraded(t *testing.T) {
	kafka.SetPassing(t, time.Second)
	for _, key := range []kmsg.Key{kmsg.Fetch, kmsg.ListOffsets} {
		t.Run(key.Name(), func(t *testing.T) {
			cluster := kafkatest.Cluster(t)
			var code atomic.Pointer[kerr.Error]
			code.Store(kerr.TopicAuthorizationFailed)
			refuse(cluster, key, &code)
			tr := openTransport(t, readerOf(cluster))
			arrivals(t, tr)

			told := waitDegraded(t, tr, 1)
			require.Contains(t, told, "reader does not read a.v1 since ")
			require.Contains(t, told, "the group test-reader: TOPIC_AUTHORIZATION_FAILED")
			require.Contains(t, told, "allow the user of transport.kafka to READ a.v1")

			code.Store(nil)
			waitDegraded(t, tr, 0)
		})
	}
}

// What may pass by itself is told when it has lasted.
func TestATroubleThatMayPassIsToldWhenItLasts(t *testing.T) {
	const lasting = 2 * time.Second
	kafka.SetPassing(t, lasting)
	for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.Fetch} {
		t.Run(key.Name(), func(t *testing.T) {
			cluster := kafkatest.Cluster(t)
			var code atomic.Pointer[kerr.Error]
			code.Store(kerr.UnknownServerError)
			refuse(cluster, key, &code)
			tr := openTransport(t, readerOf(cluster))
			began := time.Now()
			arriving := arrivals(t, tr)
			require.Contains(t, waitDegraded(t, tr, 1), "UNKNOWN_SERVER_ERROR")
			require.GreaterOrEqual(t, time.Since(began), lasting)

			code.Store(nil)
			require.NoError(t, tr.Publisher().Publish("a.v1", message.NewMessage("1", nil)))
			(<-arriving).Ack()
			waitDegraded(t, tr, 0)
		})
	}
}
