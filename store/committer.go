package store

import (
	"fmt"
	"time"
)

const (
	busyFor      = 5 * time.Millisecond
	lingerFor    = 1500 * time.Microsecond
	abandonAfter = 100 * time.Millisecond // after its deadline: nobody else commits meanwhile
)

// committer owns a writing connection: it runs queued members as savepoints of one transaction and answers them after the
// flush. While one group is flushed the next one gathers, so that load makes groups and an idle database answers at once.
type committer struct {
	store *Store
	conn  *connection
	ended time.Time   // when the last group was flushed
	later []*member   // put off to the next group
	work  chan func() // to the worker that runs members; replaced when one is abandoned

	compacting chan error // who waits for the file to be rewritten, between two groups
}

func (c *committer) run() {
	c.work = newWorker()
	defer func() {
		close(c.work)
		_ = c.conn.close() // closing the database says the same error
	}()
	for {
		group, open := c.gather()
		if done := c.compacting; done != nil {
			c.compacting = nil
			done <- c.compact()
		}
		if len(group) > 0 || c.store.relay.acks.waiting() {
			c.commit(group)
		}
		if !open {
			return
		}
	}
}

// gather waits for the first member (or for published rows that have waited long enough for a group to ride with),
// then takes what else is queued. It answers false when the store is closing and the queue is empty.
func (c *committer) gather() ([]*member, bool) {
	group := make([]*member, 0, c.store.groupSize)
	group, c.later = append(group, c.later...), nil
	if len(group) > 0 {
		return c.fill(group), true
	}
	select {
	case m := <-c.store.queue:
		group = append(group, m)
	case <-c.store.relay.acks.flush:
	case c.compacting = <-c.store.compacts:
		return group, true
	case <-c.store.closing:
		select {
		case m := <-c.store.queue:
			group = append(group, m)
		default:
			return nil, false
		}
	}
	return c.fill(group), true
}

func (c *committer) fill(group []*member) []*member {
	for len(group) < c.store.groupSize {
		select {
		case m := <-c.store.queue:
			group = append(group, m)
		default:
			return c.linger(group)
		}
	}
	return group
}

// linger lets a small group grow for a moment while the database is busy: a flush costs as much for one member as for many.
// When it was idle before, the first member does not wait.
func (c *committer) linger(group []*member) []*member {
	if time.Since(c.ended) > busyFor || c.store.hurrying.Load() > 0 {
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

// commit runs the group. A group that is lost as a whole (deadlock, serialization, disk) is run again member by member,
// which counts against nobody.
func (c *committer) commit(group []*member) {
	again, err := c.attempt(group, false)
	switch {
	case err != nil && again && (len(group) > 1 || !c.store.dialect.sole):
		c.commitEach(group)
		return
	case err != nil:
		for _, m := range group {
			m.result = err
		}
	}
	for _, m := range group {
		if err == nil && m.tx != nil && m.tx.putOff {
			c.putOff(m)
			continue
		}
		m.done <- m.result
	}
}

// putOff tries a member again that found a lock taken: with the next group, and at last alone, where it waits for the lock.
func (c *committer) putOff(m *member) {
	if m.turns++; m.turns < mostTurns {
		c.later = append(c.later, m)
		return
	}
	c.commitEach([]*member{m})
}

const (
	mostTurns = 3
	mostLost  = 5
)

func (c *committer) commitEach(group []*member) {
	var down error // the database does not answer: nobody else needs to find that out
	for _, m := range group {
		wait := backoff{next: 5 * time.Millisecond}
		for n := 1; ; n++ {
			var again bool
			err := down
			if err == nil {
				again, err = c.attempt([]*member{m}, true)
			}
			if err != nil && again && n < mostLost && m.ctx.Err() == nil {
				wait.sleep(m.ctx)
				continue
			}
			if err != nil {
				m.result = err
			}
			if err != nil && !again {
				down = err
			}
			break
		}
		m.done <- m.result
	}
}

// attempt runs the members and commits them with what rides along. Its error is the group's, and again tells whether nothing
// was committed and another attempt may succeed; a member's own error stands in its result. A member that is alone waits for
// the locks that it wants.
func (c *committer) attempt(group []*member, alone bool) (again bool, err error) {
	acks := c.store.relay.acks.take()
	if err := c.conn.begin(); err != nil {
		c.store.relay.acks.giveBack(acks)
		return c.store.dialect.sole, c.store.failure("begin", err)
	}
	defer func() {
		if err == nil {
			return
		}
		c.conn.rollback()
		c.store.relay.acks.giveBack(acks)
		for _, m := range group {
			if m.tx != nil {
				m.tx.fence()
			}
		}
	}()
	parked, err := c.lockKeys(group)
	if err != nil {
		return true, c.lost("lock", err)
	}
	survivors := make([]*Tx, 0, len(group))
	for _, m := range group {
		if err := c.runMember(m, parked, alone); err != nil {
			return true, c.lost("savepoint", err)
		}
		if m.result == nil {
			survivors = append(survivors, m.tx)
		}
	}
	rows, err := c.finish(survivors, acks)
	if err != nil {
		return true, c.lost("outbox", err)
	}
	if err := c.store.failpoint("commit.before"); err != nil {
		return true, c.store.failure("commit", err)
	}
	if err := c.conn.commit(); err != nil {
		unknown := c.store.dialect.unknown(err)
		if unknown {
			c.lookAgain()
		}
		return !unknown, c.store.failure("commit", err)
	}
	for _, tx := range survivors {
		c.store.parkedRows.Add(tx.moreParked)
	}
	if err := c.store.failpoint("commit.after"); err != nil { // the reply is lost
		c.lookAgain()
		return false, c.store.failure("commit", err)
	}
	c.store.relay.acks.written(acks)
	c.store.noteCommit(len(group))
	c.ended = time.Now()
	c.after(survivors, rows)
	return false, nil
}

// lookAgain sends the relay and the job runner to their tables: a commit whose reply was lost may have brought them work.
func (c *committer) lookAgain() {
	c.store.relay.rewind()
	c.store.relay.nudge()
	c.store.jobsDue(c.store.now())
}

// lost tells of a lost group: loudly, unless others were only faster.
func (c *committer) lost(operation string, err error) error {
	if c.store.dialect.lost(err) {
		c.store.log.Debug("a group was lost to others and is run again", "operation", operation, "error", err)
		return &Failure{Operation: operation, Err: err}
	}
	return c.store.failure(operation, err)
}

// lockKeys takes the members' key locks in one statement, sorted, so that groups do not deadlock over them, and reads for
// which of the keys events are parked: once for all, since one parked event would have every event of the others look.
func (c *committer) lockKeys(group []*member) (parked map[string]bool, err error) {
	parked = map[string]bool{}
	keys := make([]string, 0, len(group))
	for _, m := range group {
		if m.key != "" {
			keys = append(keys, m.key)
		}
	}
	if len(keys) == 0 {
		return parked, nil
	}
	d := &c.store.dialect
	if d.sole { // its one writer is the lock
		if c.store.parkedRows.Load() == 0 {
			return parked, nil
		}
	} else if err := c.conn.ahead(lockAll, c.store.keyLocks(keys)); err != nil {
		return nil, err
	}
	return parked, c.conn.each(d.parkedAmong, func(rows Scanner) error {
		var key string
		err := rows.Scan(&key)
		parked[key] = true
		return err
	}, d.list(keys))
}

// finish writes what belongs to the end of a group: published rows, sequences and outbox rows, durable counts.
func (c *committer) finish(survivors []*Tx, acks []int64) ([]Row, error) {
	writer := c.store.writer(c.conn)
	if err := writer.markDone(acks); err != nil {
		return nil, err
	}
	rows, err := writeOutbox(writer, survivors)
	if err != nil {
		return nil, err
	}
	return rows, writeCounts(writer, survivors)
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

func writeCounts(w bulkWriter, survivors []*Tx) error {
	sums := map[string]int64{}
	for _, tx := range survivors {
		for name, n := range tx.counts {
			sums[name] += n
		}
	}
	if len(sums) == 0 {
		return nil
	}
	if err := w.count(sums); err != nil {
		return fmt.Errorf("counting: %w", err)
	}
	return nil
}
