package store

import (
	"sync"
	"time"
)

const ackDelay = 10 * time.Millisecond // how long published rows wait for a group to ride with

// acks collects published rows until the committer writes that they are: with the next group, because transactions of their
// own halve the throughput, or alone when no group comes.
type acks struct {
	flush chan struct{}

	mu      sync.Mutex
	ids     []int64
	pending map[int64]bool // published, not yet written in the table: a sweep must not send them again
	recent  map[int64]bool // written since a sweep began to read: what it read may be older
	timer   bool
}

func (a *acks) add(rows []Row) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending == nil {
		a.pending = map[int64]bool{}
	}
	for i := range rows {
		a.ids = append(a.ids, rows[i].ID)
		a.pending[rows[i].ID] = true
	}
	if !a.timer {
		a.timer = true
		time.AfterFunc(ackDelay, a.signal)
	}
}

func (a *acks) signal() {
	a.mu.Lock()
	a.timer = false
	a.mu.Unlock()
	select {
	case a.flush <- struct{}{}:
	default:
	}
}

// reading forgets what was written before a sweep reads the table.
func (a *acks) reading() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recent = map[int64]bool{}
}

// read ends what reading began.
func (a *acks) read() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.recent = nil
}

func (a *acks) has(id int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pending[id] || a.recent[id]
}

func (a *acks) waiting() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.ids) > 0
}

func (a *acks) take() []int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := a.ids
	a.ids = nil
	return ids
}

// giveBack keeps the rows of a group that was lost for the next one.
func (a *acks) giveBack(ids []int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids = append(ids, a.ids...)
}

func (a *acks) written(ids []int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		delete(a.pending, id)
		if a.recent != nil {
			a.recent[id] = true
		}
	}
}
