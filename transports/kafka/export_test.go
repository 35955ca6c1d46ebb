package kafka

import (
	"testing"
	"time"
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
