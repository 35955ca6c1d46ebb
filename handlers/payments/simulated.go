package payments

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"

	"github.com/first-viscount/viscount/events"
)

// Simulated is a provider for demos and tests: it answers after a delay and declines a share of the authorisations and
// captures. The same seed and key always give the same answer, as an idempotent provider does.
type Simulated struct {
	Delay       time.Duration
	FailureRate float64 // 0–1
	Seed        int64
}

// Authorise implements Provider.
func (s Simulated) Authorise(ctx context.Context, key string, _ events.Money, _ string) (bool, error) {
	return s.answer(ctx, key)
}

// Capture implements Provider.
func (s Simulated) Capture(ctx context.Context, key string, _ events.Money, _ string) (bool, error) {
	return s.answer(ctx, key)
}

// Refund implements Provider.
func (s Simulated) Refund(ctx context.Context, key string, _ events.Money, _ string) error {
	_, err := s.answer(ctx, key)
	return err
}

func (s Simulated) answer(ctx context.Context, key string) (bool, error) {
	if s.Delay > 0 {
		timer := time.NewTimer(s.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	sum := sha256.Sum256([]byte(strconv.FormatInt(s.Seed, 10) + "/" + key))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11)/(1<<53) >= s.FailureRate, nil
}
