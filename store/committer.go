package store

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"
)

// member is one transaction of a group.
type member struct {
	ctx    context.Context
	fn     func(ctx context.Context, tx *Tx) error
	origin Origin
	tx     *Tx
	result error
	done   chan error // buffered: the committer never waits for a caller
}

const (
	busyFor   = 5 * time.Millisecond
	lingerFor = 1500 * time.Microsecond
)

// committer owns the writing connection: it runs queued members as savepoints of one transaction and answers them after the
// flush. While one group is flushed the next one gathers, so that load makes groups and an idle database answers at once.
type committer struct {
	store *Store
	conn  *connection
	ended time.Time   // when the last group was flushed
	work  chan func() // to the worker that runs members; replaced when one is abandoned
}

func (c *committer) run() {
	defer close(c.store.stopped)
	c.work = newWorker()
	defer func() { close(c.work) }()
	for {
		group, open := c.gather()
		if len(group) > 0 || c.store.relay.marks.waiting() {
			c.commit(group)
		}
		if !open {
			return
		}
	}
}

// gather waits for the first member (or for finished outbox rows that have waited long enough for a group to ride with),
// then takes what else is queued. It answers false when the store is closing and the queue is empty.
func (c *committer) gather() ([]*member, bool) {
	group := make([]*member, 0, c.store.groupSize)
	select {
	case m := <-c.store.queue:
		group = append(group, m)
	case <-c.store.relay.marks.flush:
	case <-c.store.closing:
		select {
		case m := <-c.store.queue:
			group = append(group, m)
		default:
			return nil, false
		}
	}
	for len(group) < c.store.groupSize {
		select {
		case m := <-c.store.queue:
			group = append(group, m)
		default:
			return c.linger(group), true
		}
	}
	return group, true
}

// linger lets a small group grow for a moment while the database is busy: a flush costs as much for one member as for many.
// When it was idle before, the first member does not wait.
func (c *committer) linger(group []*member) []*member {
	if time.Since(c.ended) > busyFor {
		return group
	}
	moment := time.NewTimer(lingerFor)
	defer moment.Stop()
	for len(group) < c.store.groupSize {
		select {
		case m := <-c.store.queue:
			group = append(group, m)
		case <-moment.C:
			return group
		}
	}
	return group
}

// commit runs the group; a group that is lost as a whole (disk, deadlock) is run again member by member, which counts
// against nobody.
func (c *committer) commit(group []*member) {
	err := c.attempt(group)
	if err != nil && len(group) > 1 {
		for _, m := range group {
			if err := c.attempt([]*member{m}); err != nil {
				m.result = err
			}
		}
	} else if err != nil && len(group) == 1 {
		group[0].result = err
	}
	for _, m := range group {
		m.done <- m.result
	}
}

// attempt runs the members and commits them with what rides along. Its error is the group's; a member's own error stands in
// its result.
func (c *committer) attempt(group []*member) (err error) {
	marks := c.store.relay.marks.take()
	if err := c.conn.begin(); err != nil {
		c.store.relay.marks.giveBack(marks)
		return c.store.failure("begin", err)
	}
	defer func() {
		if err == nil {
			return
		}
		c.conn.rollback()
		c.store.relay.marks.giveBack(marks)
		for _, m := range group {
			if m.tx != nil {
				m.tx.fence()
			}
		}
	}()
	survivors := make([]*Tx, 0, len(group))
	for _, m := range group {
		if err := c.runMember(m); err != nil {
			return c.store.failure("savepoint", err)
		}
		if m.result == nil {
			survivors = append(survivors, m.tx)
		}
	}
	rows, err := c.finish(survivors, marks)
	if err != nil {
		return c.store.failure("outbox", err)
	}
	if err := c.store.failpoint("commit.before"); err != nil {
		return c.store.failure("commit", err)
	}
	if err := c.conn.commit(); err != nil {
		return c.store.failure("commit", err)
	}
	c.store.relay.marks.written(marks)
	c.store.noteCommit(len(group))
	c.ended = time.Now()
	c.after(survivors, rows)
	return nil
}

// runMember runs one member inside a savepoint. The returned error is the connection's; the member's own error rolls its
// savepoint back and stands in its result.
func (c *committer) runMember(m *member) error {
	m.result = m.ctx.Err()
	if m.result != nil {
		return nil
	}
	if _, err := c.conn.exec("SAVEPOINT member"); err != nil {
		return err
	}
	m.tx = &Tx{store: c.store, conn: c.conn, ctx: m.ctx, origin: m.origin, now: c.store.now()}
	m.result = c.call(m)
	m.tx.fence()
	if m.result != nil {
		if _, err := c.conn.exec("ROLLBACK TO SAVEPOINT member"); err != nil {
			return err
		}
	}
	_, err := c.conn.exec("RELEASE SAVEPOINT member")
	return err
}

// call runs the member's function on the worker and waits for it or for its deadline. A function that outlives its deadline
// is abandoned: its Tx is fenced, and a new worker takes over, so that one stuck handler stops nobody else.
func (c *committer) call(m *member) error {
	done := make(chan error, 1)
	c.work <- func() { done <- protect(m.ctx, m.tx, m.fn) }
	select {
	case err := <-done:
		return err
	case <-m.ctx.Done():
	}
	m.tx.fence()
	select {
	case err := <-done: // it ended with its deadline
		if err != nil {
			return err
		}
		return m.ctx.Err()
	default:
	}
	close(c.work)
	c.work = newWorker()
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

// finish writes what belongs to the end of a group: sequences and outbox rows, finished rows' marks, durable counts.
func (c *committer) finish(survivors []*Tx, marks []int64) ([]Row, error) {
	rows, err := writeOutbox(c.conn, survivors)
	if err != nil {
		return nil, err
	}
	if err := writeDone(c.conn, marks, micros(c.store.now())); err != nil {
		return nil, err
	}
	return rows, writeCounts(c.conn, survivors)
}

// after tells the rest of the service what a commit made true.
func (c *committer) after(survivors []*Tx, rows []Row) {
	c.store.relay.hand(rows)
	if len(rows) > 0 {
		c.store.tellListeners()
	}
	var due time.Time
	for _, tx := range survivors {
		if !tx.jobsDue.IsZero() && (due.IsZero() || tx.jobsDue.Before(due)) {
			due = tx.jobsDue
		}
		for _, f := range tx.committed {
			f()
		}
	}
	if !due.IsZero() {
		c.store.jobsDue(due)
	}
}

func writeCounts(conn *connection, survivors []*Tx) error {
	sums := map[string]int64{}
	for _, tx := range survivors {
		for name, n := range tx.counts {
			sums[name] += n
		}
	}
	for _, name := range sortedKeys(sums) {
		_, err := conn.exec("INSERT INTO counters (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value", name, sums[name])
		if err != nil {
			return fmt.Errorf("counting %s: %w", name, err)
		}
	}
	return nil
}
