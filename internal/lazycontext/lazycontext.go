// Package lazycontext has contexts whose end costs nothing until somebody waits for it.
package lazycontext

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Context is what context.WithCancel and context.WithTimeout give, for work whose end hardly anybody waits for: the timer, the
// channel and the entry with the parent are made when somebody asks for Done. The store does, while it runs a transaction, so
// that an event in one pays for them all the same. What is handled without one (messages that are turned away, benchmarks of
// the chain) saves them; of a benchmark's short handler they were an eighth of all that an event costs.
type Context struct {
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

// WithCancel gives a context that ends with its parent, or with Cancel.
func WithCancel(parent context.Context) *Context { return &Context{Context: parent} }

// WithTimeout gives one that ends after a time, too, with context.DeadlineExceeded.
func WithTimeout(parent context.Context, timeout time.Duration) *Context {
	return &Context{Context: parent, at: time.Now().Add(timeout)}
}

// Deadline implements context.Context.
func (c *Context) Deadline() (time.Time, bool) {
	at, ok := c.Context.Deadline()
	if c.at.IsZero() || ok && at.Before(c.at) {
		return at, ok
	}
	return c.at, true
}

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} { return c.made().Done() }

// Err implements context.Context.
func (c *Context) Err() error {
	if real := c.real.Load(); real != nil {
		return real.Err()
	}
	if !c.ended.Load() && c.Context.Err() == nil && (c.at.IsZero() || time.Now().Before(c.at)) {
		return nil
	}
	return c.made().Err()
}

// Value implements context.Context. The context package looks for a child's parent by it, after Done: it finds the real one.
func (c *Context) Value(key any) any {
	if real := c.real.Load(); real != nil {
		return real.Value(key)
	}
	return c.Context.Value(key)
}

// Cancel ends the context, unless it has ended; a deadline that has passed unnoticed is none any more. A context that nobody
// has needed by then costs nothing further.
func (c *Context) Cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	real := c.real.Load()
	if real == nil && !c.ended.Load() && c.Context.Err() != nil {
		real = c.makeReal()
	}
	c.ended.Store(true)
	if real != nil {
		real.cancel()
	}
}

func (c *Context) made() *cancellable {
	c.mu.Lock()
	defer c.mu.Unlock()
	if real := c.real.Load(); real != nil {
		return real
	}
	return c.makeReal()
}

func (c *Context) makeReal() *cancellable {
	real := &cancellable{}
	switch {
	case c.ended.Load(): // before whatever else may have ended since
		real.Context, real.cancel = context.WithCancel(context.WithoutCancel(c.Context))
		real.cancel()
	case c.at.IsZero():
		real.Context, real.cancel = context.WithCancel(c.Context)
	default:
		real.Context, real.cancel = context.WithDeadline(c.Context, c.at)
	}
	c.real.Store(real)
	return real
}
