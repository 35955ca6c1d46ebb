package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

// ShortenRevokes lets rebalances of this test wait for d only. No consumer of another test may be open.
func ShortenRevokes(t *testing.T, d time.Duration) {
	usual := revokeTimeout
	revokeTimeout = d
	t.Cleanup(func() { revokeTimeout = usual })
}

// SetPassing lets what may pass count after d in this test. No consumer of another test may be open.
func SetPassing(t *testing.T, d time.Duration) {
	usual := passing
	passing = d
	t.Cleanup(func() { passing = usual })
}

// Draining tells whether a consumer takes nothing more.
func Draining(tr driver.Transport, consumer string) bool {
	asked, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := tr.(*Transport).consumers[consumer].Engine.Room(asked)
	return errors.Is(err, keyed.ErrClosed)
}
