package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// meter takes the rate of what is handled after a warm-up, until enough was or time is up.
type meter struct {
	warm, enough int64
	limit        time.Duration

	handled atomic.Int64
	began   atomic.Int64 // nanoseconds since start
	start   time.Time
	once    sync.Once
	done    chan struct{}
	rate    float64
}

func newMeter(warm, enough int, limit time.Duration) *meter {
	return &meter{warm: int64(warm), enough: int64(enough), limit: limit, start: time.Now(), done: make(chan struct{})}
}

// tick counts one message.
func (m *meter) tick() {
	switch m.handled.Add(1) {
	case m.warm:
		m.began.Store(int64(time.Since(m.start)))
		time.AfterFunc(m.limit, m.end)
	case m.enough:
		m.end()
	}
}

func (m *meter) end() {
	m.once.Do(func() {
		n := m.handled.Load() - m.warm
		m.rate = float64(n) / (time.Since(m.start) - time.Duration(m.began.Load())).Seconds()
		close(m.done)
	})
}

const patience = 60 * time.Second

// wait returns the rate, or says that too little came.
func (m *meter) wait(ctx context.Context) (float64, error) {
	select {
	case <-m.done:
		return m.rate, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(patience):
		return 0, fmt.Errorf("after %v only %d messages were handled", patience, m.handled.Load())
	}
}

// order asserts that the messages of each key are handled in order, once, and one at a time.
type order struct {
	keys   []keyState
	broken atomic.Int64
}

type keyState struct {
	last atomic.Int64
	busy atomic.Bool
}

func newOrder() *order { return &order{keys: make([]keyState, keys)} }

func (o *order) begin(key string, sequence int64) *keyState {
	n, err := keyNumber(key)
	if err != nil {
		o.broken.Add(1)
		return new(keyState)
	}
	k := &o.keys[n]
	if !k.busy.CompareAndSwap(false, true) || !k.last.CompareAndSwap(sequence-1, sequence) {
		o.broken.Add(1)
	}
	return k
}

func (k *keyState) end() { k.busy.Store(false) }

func (o *order) check() error {
	if n := o.broken.Load(); n > 0 {
		return fmt.Errorf("%d messages came out of order, or more than once", n)
	}
	return nil
}

// keys are how many ordering keys the messages have.
const keys = 10_000

func keyName(n int) string { return "order_" + strconv.Itoa(n) }

func keyNumber(key string) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(key, "order_"))
	if err == nil && (n < 0 || n >= keys) {
		err = fmt.Errorf("no key of the benchmark: %s", key)
	}
	return n, err
}
