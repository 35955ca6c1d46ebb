package googlecloud_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/googlecloud"
	"github.com/first-viscount/viscount/transports/googlecloud/googlecloudtest"
	"github.com/first-viscount/viscount/transports/transporttest"
)

// configured reaches the server that TEST_PUBSUB names, else an in-process stand-in, in a project of its own.
func configured(t *testing.T) config.Transport {
	t.Helper()
	return config.Transport{Driver: "googlecloud", ConsumerPrefix: "test", GoogleCloud: config.GoogleCloud{Project: fmt.Sprint("test-", time.Now().UnixNano()), Endpoint: googlecloudtest.Endpoint(t)}}
}

func TestSuites(t *testing.T) {
	transporttest.Run(t, transporttest.Setup{Driver: googlecloud.Driver, Config: configured(t), Short: googlecloudtest.StandIn(), Apart: true, Sluggish: googlecloudtest.StandIn()})
}

// Attributes beyond Pub/Sub's limits stay at home, and an empty payload is published.
func TestLimits(t *testing.T) {
	o := driver.Options{Config: configured(t), Consumers: map[string][]string{"reader": {"a.v1"}}, Topics: []driver.Topic{{Name: "a.v1"}}, KeysInFlight: 4}
	tr, err := googlecloud.Driver.Open(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, tr.Close()) }()
	msg := message.NewMessage("id", nil)
	msg.Metadata = message.Metadata{driver.KeyMetadata: strings.Repeat("k", 2000), "tracestate": strings.Repeat("x", 1025), "short": "yes", "googleish": "reserved", "broken": "\xff"}
	require.NoError(t, tr.Publisher().Publish("a.v1", msg))
	sub, err := tr.Subscriber("reader")
	require.NoError(t, err)
	messages, err := sub.Subscribe(t.Context(), "a.v1")
	require.NoError(t, err)
	got := <-messages
	got.Ack()
	require.Equal(t, "id", got.UUID)
	require.Equal(t, "yes", got.Metadata.Get("short"))
	require.Empty(t, got.Metadata.Get("tracestate"))
	require.Empty(t, got.Metadata.Get("googleish"))
	require.Len(t, got.Metadata.Get(driver.KeyMetadata), 64, "a hash")
	require.Empty(t, got.Payload)
}

// An endpoint where nobody answers is told, with the setting.
func TestStartNamesTheSetting(t *testing.T) {
	c := configured(t)
	c.GoogleCloud.Endpoint = "127.0.0.1:1"
	_, err := googlecloud.Driver.Open(t.Context(), driver.Options{Config: c, Topics: []driver.Topic{{Name: "a.v1"}}})
	require.ErrorContains(t, err, "transport.googlecloud.endpoint")
}

// Closing does not wait for a Pub/Sub that is away, although the client would try to reach it for ever, and publishing ends with it.
func TestCloseEndsWhilePubSubIsAway(t *testing.T) {
	endpoint, cut, _ := googlecloudtest.Severable(t)
	c := config.Transport{Driver: "googlecloud", ConsumerPrefix: "test", GoogleCloud: config.GoogleCloud{Project: "test", Endpoint: endpoint}}
	o := driver.Options{Config: c, Consumers: map[string][]string{"reader": {"a.v1"}, "other": {"a.v1"}}, Topics: []driver.Topic{{Name: "a.v1"}}, KeysInFlight: 4}
	tr, err := googlecloud.Driver.Open(t.Context(), o)
	require.NoError(t, err)
	arriving := map[string]<-chan *message.Message{}
	for name := range o.Consumers {
		sub, err := tr.Subscriber(name)
		require.NoError(t, err)
		arriving[name], err = sub.Subscribe(t.Context(), "a.v1")
		require.NoError(t, err)
	}
	publish := func(n int) error {
		msg := message.NewMessage(fmt.Sprint(n), nil)
		msg.Metadata.Set(driver.KeyMetadata, fmt.Sprint(n))
		return tr.Publisher().Publish("a.v1", msg)
	}
	require.NoError(t, publish(0))
	for _, messages := range arriving {
		<-messages // in hand
	}
	cut()
	asked, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = tr.Standing(asked)
	require.Error(t, err, "it is away")
	var publishing sync.WaitGroup
	for n := range 300 {
		publishing.Go(func() {
			if publish(n) == nil {
				t.Error("it is away")
			}
		})
	}
	ends := func(what string, in time.Duration, do func()) {
		t.Helper()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			do()
		}()
		select {
		case <-ended:
		case <-time.After(in):
			t.Fatal(what, "does not end")
		}
	}
	ends("closing", 20*time.Second, func() { err = tr.Close() })
	require.NoError(t, err)
	ends("publishing", 5*time.Second, func() {
		publishing.Wait()
		err = publish(0)
	})
	require.Error(t, err)
}
