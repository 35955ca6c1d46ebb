// Package googlecloudtest gives tests a Pub/Sub: the server that TEST_PUBSUB names, else a stand-in.
package googlecloudtest

import (
	"os"
	"testing"

	"cloud.google.com/go/pubsub/pstest"
	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/first-viscount/viscount/internal/servertest"
)

// Endpoint is the server that TEST_PUBSUB names, else a stand-in in this process.
func Endpoint(t testing.TB) string {
	t.Helper()
	if named := os.Getenv("TEST_PUBSUB"); named != "" {
		return named
	}
	return Fake(t)
}

// StandIn tells whether Endpoint is pstest: here, or in a process of its own (TEST_PUBSUB_IS).
func StandIn() bool { return os.Getenv("TEST_PUBSUB") == "" || os.Getenv("TEST_PUBSUB_IS") == "pstest" }

// Fake starts a stand-in in this process.
func Fake(t testing.TB) string {
	t.Helper()
	server := pstest.NewServer()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("closing the stand-in of Pub/Sub: %v", err)
		}
	})
	return server.Addr
}

// Severable is a stand-in that can be cut off and be there again.
func Severable(t testing.TB) (endpoint string, cut, restore func()) {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "pubsub", "127.0.0.1:"+servertest.FreePort(t), Fake(t))
	restore = func() {
		t.Helper()
		if err := proxy.Start(); err != nil {
			t.Fatalf("the way to Pub/Sub: %v", err)
		}
	}
	restore()
	t.Cleanup(proxy.Stop)
	return proxy.Listen, proxy.Stop, restore
}
