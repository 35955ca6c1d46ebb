// Package googlecloudtest gives tests a Pub/Sub: the emulator that TEST_PUBSUB names, else a stand-in.
package googlecloudtest

import (
	"os"
	"testing"

	"cloud.google.com/go/pubsub/pstest"
)

// Endpoint is the emulator that TEST_PUBSUB names, else a stand-in in this process.
func Endpoint(t testing.TB) string {
	t.Helper()
	if named := os.Getenv("TEST_PUBSUB"); named != "" {
		return named
	}
	return Fake(t)
}

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
