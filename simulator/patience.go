package simulator

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// patience is what Options.SettleTimeout means: it ends when nothing has moved for so long. A slow platform may take its time.
type patience struct {
	limit time.Duration
	last  atomic.Int64 // when something moved, in nanoseconds
}

// patienceStep is how often is asked what a broker may still hold.
const patienceStep = 200 * time.Millisecond

func (r *run) patience() *patience {
	p := &patience{limit: r.SettleTimeout}
	p.moved()
	return p
}

func (p *patience) moved() { p.last.Store(time.Now().UnixNano()) }

func (p *patience) over() bool { return time.Since(time.Unix(0, p.last.Load())) > p.limit }

// until asks how much is left, every so often, until nothing is or the patience is over.
func (p *patience) until(ctx context.Context, every time.Duration, left func() (int, error)) error {
	for lowest := math.MaxInt; ; {
		n, err := left()
		if err != nil {
			return err
		}
		if n == 0 || n < lowest && lowest < math.MaxInt {
			p.moved()
		}
		if n == 0 || p.over() {
			return nil
		}
		lowest = min(lowest, n)
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
