package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// member is one transaction of a group.
type member struct {
	ctx    context.Context
	key    string // ordering key to lock, "" for none
	fn     func(ctx context.Context, tx *Tx) error
	origin Origin
	tx     *Tx
	result error
	done   chan error // buffered: the committer never waits for a caller
	turns  int        // how often it was put off, because others held what it wanted to lock
}

// runMember runs one member inside a savepoint. The returned error is the connection's or the group's; the member's own error
// rolls its savepoint back and stands in its result.
func (c *committer) runMember(m *member, parked map[string]bool, alone bool) error {
	m.tx, m.result = nil, nil
	if m.ctx.Err() != nil {
		m.result = noTurn(m.ctx)
		return nil
	}
	if err := c.conn.ahead("SAVEPOINT member"); err != nil {
		return err
	}
	m.tx = &Tx{store: c.store, conn: c.conn, ctx: m.ctx, origin: m.origin, now: c.store.now(), key: m.key, parked: parked, alone: alone}
	m.result = c.call(m)
	m.tx.fence()
	if m.tx.putOff && m.result == nil {
		m.result = errPutOff // the work went on without its lock
	}
	if c.store.dialect.lost(m.result) {
		return m.result
	}
	if m.result != nil {
		if _, err := c.conn.exec("ROLLBACK TO SAVEPOINT member"); err != nil {
			return err
		}
	}
	return c.conn.ahead("RELEASE SAVEPOINT member")
}

// call runs the member's function on the worker and waits for it or for its deadline. A function that outlives its deadline
// by more than a grace period is abandoned: its Tx is fenced, and a new worker takes over, so that one stuck handler stops
// nobody else.
func (c *committer) call(m *member) error {
	done := make(chan error, 1)
	c.work <- func() { done <- protect(m.ctx, m.tx, m.fn) }
	select {
	case err := <-done:
		return err
	case <-m.ctx.Done():
	}
	m.tx.fence()
	grace := time.NewTimer(abandonAfter)
	defer grace.Stop()
	select {
	case err := <-done: // it ended with its deadline
		if err != nil && !errors.Is(err, ErrClosed) { // which is only how the fence tells of the deadline
			return err
		}
		return m.ctx.Err()
	case <-grace.C:
	}
	close(c.work)
	c.work = newWorker()
	c.store.NoteAbandoned()
	return fmt.Errorf("the attempt was abandoned at its deadline: %w", m.ctx.Err())
}

// newWorker starts a goroutine that runs what it is sent, until the channel closes.
func newWorker() chan func() {
	work := make(chan func(), 1)
	go func() {
		for f := range work {
			f()
		}
	}()
	return work
}

// protect turns a panic of the work into an error with its stack.
func protect(ctx context.Context, tx *Tx, fn func(context.Context, *Tx) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return fn(ctx, tx)
}
