package router

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/first-viscount/viscount/store"
)

const (
	circuitWindow = 20          // the latest events that are looked at
	circuitShare  = 10          // so many of them, and most, have failed for one cause: it is not the events
	probeEvery    = time.Second // while the circuit is open
)

// errOpen sends a parked event back to its place: the circuit has opened.
var errOpen = errors.New("router: the circuit is open")

// circuit stops a consumer whose events fail for one cause. While it is open, arrivals wait, retries are not spent, and one
// event a second is tried; the first that succeeds closes it.
type circuit struct {
	open atomic.Bool

	mu     sync.Mutex
	recent [circuitWindow]ended
	n      int // events noted so far
	cause  string
	since  time.Time
	probed time.Time
	turn   int   // probes so far
	last   int64 // row of the last probe
}

// ended is how an event ended lately.
type ended struct {
	event uuid.UUID
	cause string // "" if it did not fail
}

// Circuit tells since when the consumer's circuit is open, and for what cause; open is false when it is closed.
func (s *Service) Circuit() (cause string, since time.Time, open bool) {
	c := &s.circuit
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause, c.since, c.open.Load()
}

// succeeded notes an event that did not fail.
func (s *Service) succeeded(ctx context.Context, d *delivery) {
	c := &s.circuit
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open.Load() {
		c.recent[c.n%circuitWindow] = ended{event: d.event.Envelope.EventID}
		c.n++
		return
	}
	if !d.probe {
		return // it was begun before
	}
	s.log.InfoContext(ctx, "the circuit closes: a probe succeeded", "cause", c.cause, "open_for", s.store.Now().Sub(c.since).Round(time.Millisecond))
	c.recent, c.n, c.cause = [circuitWindow]ended{}, 0, ""
	c.open.Store(false)
	s.wakeEverything()
}

// blames notes a failed event, and tells whether the failure is the open circuit's and no fault of the event.
func (s *Service) blames(ctx context.Context, d *delivery, v verdict) bool {
	c := &s.circuit
	cause := causeOf(v.code, v.detail)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open.Load() {
		return cause == c.cause
	}
	c.note(ended{d.event.Envelope.EventID, cause})
	if !c.common(cause) {
		return false
	}
	c.cause, c.since, c.probed, c.last = cause, s.store.Now(), s.store.Now(), 0
	c.open.Store(true)
	s.log.ErrorContext(ctx, "the circuit opens: most events fail for one cause; arrivals wait, and one event a second is tried", "cause", cause)
	s.wakeTimer()
	return false
}

// note remembers how an event ended; one that failed before is not counted twice. The lock is held.
func (c *circuit) note(e ended) {
	for i := range c.recent {
		if c.recent[i].event == e.event {
			c.recent[i] = e
			return
		}
	}
	c.recent[c.n%circuitWindow] = e
	c.n++
}

// common tells whether most of the latest events failed for the cause. The lock is held.
func (c *circuit) common(cause string) bool {
	same := 0
	for _, e := range c.recent {
		if e.cause == cause {
			same++
		}
	}
	return same >= circuitShare && 2*same > min(c.n, circuitWindow)
}

// nextProbe takes the turn of a probe, or tells when the next one comes.
func (c *circuit) nextProbe(now time.Time) (turn int, last int64, wait time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.probed.Add(probeEvery); now.Before(at) {
		return 0, 0, at
	}
	c.probed = now
	c.turn++
	return c.turn, c.last, time.Time{}
}

// probe tries one parked event while the circuit is open, if it is time, and tells when to come back.
func (s *Service) probe(ctx context.Context) (next time.Time, err error) {
	now := s.store.Now()
	turn, last, wait := s.circuit.nextProbe(now)
	if !wait.IsZero() {
		return wait, nil
	}
	var p store.Parked
	var found bool
	err = s.store.View(ctx, func(ctx context.Context, r store.Reader) (err error) {
		p, found, err = store.NextProbe(ctx, r, turn%2 == 0, last)
		return err
	})
	if err != nil || !found {
		return now.Add(probeEvery), err
	}
	s.circuit.mu.Lock()
	s.circuit.last = p.ID
	s.circuit.mu.Unlock()
	s.metrics.probes.WithLabelValues(s.Name()).Inc()
	if err := s.reenterAs(ctx, p, func(d *delivery) { d.probe = true }); err != nil && !errors.Is(err, errOpen) && ctx.Err() == nil {
		s.log.WarnContext(ctx, "a probe was refused; the next one follows", "error", err)
	}
	return now.Add(probeEvery), ctx.Err()
}
