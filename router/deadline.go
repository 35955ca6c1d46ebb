package router

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// deadline is context.WithDeadline for work whose end hardly anybody waits for: the timer, and the entry with the parent, are
// made when somebody asks for Done. For a short handler they would be an eighth of all that an event costs.
type deadline struct {
	context.Context // the parent
	at              time.Time

	real  atomic.Pointer[cancellable] // nil while nobody has needed one
	mu    sync.Mutex
	ended atomic.Bool
}

type cancellable struct {
	context.Context
	cancel context.CancelFunc
}

func withTimeout(parent context.Context, timeout time.Duration) *deadline {
	return &deadline{Context: parent, at: time.Now().Add(timeout)}
}

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} { return d.made().Done() }

// Err implements context.Context.
func (d *deadline) Err() error {
	if real := d.real.Load(); real != nil {
		return real.Err()
	}
	if !d.ended.Load() && d.Context.Err() == nil && time.Now().Before(d.at) {
		return nil
	}
	return d.made().Err()
}

// Value implements context.Context. By it context attaches a child to the real one, which Done has made by then.
func (d *deadline) Value(key any) any {
	if real := d.real.Load(); real != nil {
		return real.Value(key)
	}
	return d.Context.Value(key)
}

// end is its context.CancelFunc. A deadline that nobody has needed by then costs nothing further.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended.Store(true)
	if real := d.real.Load(); real != nil {
		real.cancel()
	}
}

func (d *deadline) made() *cancellable {
	d.mu.Lock()
	defer d.mu.Unlock()
	real := d.real.Load()
	if real == nil {
		real = &cancellable{}
		real.Context, real.cancel = context.WithDeadline(d.Context, d.at)
		d.real.Store(real)
		if d.ended.Load() {
			real.cancel()
		}
	}
	return real
}
