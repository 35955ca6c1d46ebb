package googlecloud_test

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/pstest"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/googlecloud"
	"github.com/first-viscount/viscount/transports/googlecloud/googlecloudtest"
)

// While a consumer's handler keeps draining waiting, no other consumer takes events.
func TestDrainEndsTheTakingOfAllConsumers(t *testing.T) {
	c := config.Transport{Driver: "googlecloud", ConsumerPrefix: "test", GoogleCloud: config.GoogleCloud{Project: "test", Endpoint: googlecloudtest.Fake(t)}}
	o := driver.Options{Config: c, Consumers: map[string][]string{"one": {"a.v1"}, "two": {"a.v1"}, "three": {"a.v1"}}, Topics: []driver.Topic{{Name: "a.v1"}}, KeysInFlight: 4}
	tr, err := googlecloud.Driver.Open(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, tr.Close()) }()
	var published, slow, taken atomic.Int64
	publish := func() {
		msg := message.NewMessage(fmt.Sprint(published.Add(1)), nil)
		msg.Metadata.Set(driver.KeyMetadata, msg.UUID)
		if err := tr.Publisher().Publish("a.v1", msg); err != nil {
			t.Error(err)
		}
	}
	finish := make(chan struct{})
	for name := range o.Consumers {
		sub, err := tr.Subscriber(name)
		require.NoError(t, err)
		messages, err := sub.Subscribe(t.Context(), "a.v1")
		require.NoError(t, err)
		go func() {
			for msg := range messages {
				if msg.UUID == "1" {
					slow.Add(1)
					go func() {
						<-finish
						msg.Ack()
					}()
					continue
				}
				taken.Add(1)
				msg.Ack()
			}
		}()
	}
	publish()
	require.Eventually(t, func() bool { return slow.Load() == 3 }, 20*time.Second, 10*time.Millisecond)
	drained := make(chan error, 1)
	go func() { drained <- tr.Drain(t.Context()) }()
	require.Eventually(t, func() bool {
		before := taken.Load()
		publish()
		time.Sleep(500 * time.Millisecond) // in which a consumer that takes events takes it
		return taken.Load() == before
	}, 5*time.Second, time.Millisecond, "events are taken while the transport drains")
	require.Empty(t, drained)
	close(finish)
	require.NoError(t, <-drained)
}

// lines counts those of the log.
type lines struct{ atomic.Int64 }

func (l *lines) Write(line []byte) (int, error) {
	l.Add(1)
	return len(line), nil
}

// A subscription that was deleted under a running process is told, with the time of the first refusal, until it is read again.
func TestASubscriptionThatIsNotReadIsTold(t *testing.T) {
	server := pstest.NewServer()
	server.SetStreamTimeout(100 * time.Millisecond) // it ends no stream of a subscription that goes
	defer func() { require.NoError(t, server.Close()) }()
	var log lines
	c := config.Transport{Driver: "googlecloud", ConsumerPrefix: "test", GoogleCloud: config.GoogleCloud{Project: "test", Endpoint: server.Addr}}
	o := driver.Options{Config: c, Consumers: map[string][]string{"reader": {"a.v1"}}, Topics: []driver.Topic{{Name: "a.v1"}}, KeysInFlight: 4, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	tr, err := googlecloud.Driver.Open(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, tr.Close()) }()
	sub, err := tr.Subscriber("reader")
	require.NoError(t, err)
	_, err = sub.Subscribe(t.Context(), "a.v1")
	require.NoError(t, err)
	degraded := func() []string {
		standing, err := tr.Standing(t.Context())
		require.NoError(t, err)
		return standing.Degraded
	}
	require.Empty(t, degraded())

	require.NoError(t, clientOf(t, c).Subscription("a.v1-test-reader").Delete(t.Context()))
	require.Eventually(t, func() bool { return len(degraded()) > 0 }, 20*time.Second, 10*time.Millisecond)
	first := degraded()
	require.Len(t, first, 1)
	require.Regexp(t, `^reader does not read the subscription a.v1-test-reader since 20\S+: .*NotFound.*; viscount topics apply `, first[0])
	more := log.Load() + 3
	require.Eventually(t, func() bool { return log.Load() >= more }, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, first, degraded())

	a, err := googlecloud.Driver.Admin(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	plan, err := a.Plan(t.Context())
	require.NoError(t, err)
	require.NoError(t, a.Apply(t.Context(), plan))
	require.Eventually(t, func() bool { return len(degraded()) == 0 }, 20*time.Second, 10*time.Millisecond, "it is read again")
}
