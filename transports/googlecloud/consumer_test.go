package googlecloud_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

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
