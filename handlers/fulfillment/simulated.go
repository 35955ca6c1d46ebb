package fulfillment

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// Simulated is a carrier for demos and tests: it answers after a delay and refuses a share of the orders. The same seed and
// key always give the same answer, as an idempotent provider does.
type Simulated struct {
	Delay       time.Duration
	FailureRate float64 // 0–1
	Seed        int64
}

// Send implements Provider.
func (s Simulated) Send(ctx context.Context, key string) (Shipment, error) {
	if s.Delay > 0 {
		timer := time.NewTimer(s.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return Shipment{}, ctx.Err()
		}
	}
	sum := sha256.Sum256([]byte(strconv.FormatInt(s.Seed, 10) + "/" + key))
	if float64(binary.BigEndian.Uint64(sum[:8])>>11)/(1<<53) < s.FailureRate {
		return Shipment{Reason: "carrier_refused"}, nil
	}
	return Shipment{Sent: true, Carrier: "simulated", Tracking: "TRACK-" + strings.ToUpper(key[max(0, len(key)-12):])}, nil
}
