package googlecloud_test

import (
	"fmt"
	"os"
	"strings"
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

// configured reaches the emulator that TEST_PUBSUB names, else an in-process stand-in, in a project of its own.
func configured(t *testing.T) config.Transport {
	t.Helper()
	return config.Transport{Driver: "googlecloud", ConsumerPrefix: "test", GoogleCloud: config.GoogleCloud{Project: fmt.Sprint("test-", time.Now().UnixNano()), Endpoint: googlecloudtest.Endpoint(t)}}
}

func TestSuites(t *testing.T) {
	transporttest.Run(t, transporttest.Setup{Driver: googlecloud.Driver, Config: configured(t), Short: true, Reorders: true, Sluggish: os.Getenv("TEST_PUBSUB") == ""})
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
