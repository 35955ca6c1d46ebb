package store

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	levelPublished = slog.LevelInfo
	markDelay      = 10 * time.Millisecond // how long finished rows wait for a group to ride with
	backoffFirst   = 50 * time.Millisecond
	backoffMost    = 5 * time.Second
)

// marks collects published rows until the committer writes them: with the next group, because transactions of their own
// halve the throughput, or alone when no group comes.
type marks struct {
	flush chan struct{}

	mu      sync.Mutex
	ids     []int64
	pending map[int64]bool // published, not yet marked in the table: a sweep must not send them again
	recent  map[int64]bool // marked since a sweep began to read: what it read may be older
	timer   bool
}

func (m *marks) add(rows []Row) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.pending == nil {
		m.pending = map[int64]bool{}
	}
	for i := range rows {
		m.ids = append(m.ids, rows[i].ID)
		m.pending[rows[i].ID] = true
	}
	if !m.timer {
		m.timer = true
		time.AfterFunc(markDelay, m.signal)
	}
}

func (m *marks) signal() {
	m.mu.Lock()
	m.timer = false
	m.mu.Unlock()
	select {
	case m.flush <- struct{}{}:
	default:
	}
}

// reading forgets what was marked before a sweep reads the table.
func (m *marks) reading() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent = map[int64]bool{}
}

// read ends what reading began.
func (m *marks) read() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent = nil
}

func (m *marks) has(id int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pending[id] || m.recent[id]
}

func (m *marks) waiting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.ids) > 0
}

func (m *marks) take() []int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := m.ids
	m.ids = nil
	return ids
}

// giveBack keeps the marks of a group that was lost for the next one.
func (m *marks) giveBack(ids []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ids = append(ids, m.ids...)
}

func (m *marks) written(ids []int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.pending, id)
		if m.recent != nil {
			m.recent[id] = true
		}
	}
}

func publishedAttrs(r *Row) []slog.Attr {
	return []slog.Attr{
		slog.String("event_type", r.EventType), slog.String("event_id", r.EventID.String()),
		slog.String("correlation_id", r.CorrelationID), slog.String("entity_id", r.Key),
	}
}

// backoff is a pause that doubles, with jitter, so that many waiters do not return at once.
type backoff struct{ next time.Duration }

func newBackoff() *backoff { return &backoff{next: backoffFirst} }

func (b *backoff) sleep(ctx context.Context) {
	timer := time.NewTimer(b.next/2 + rand.N(b.next/2))
	defer timer.Stop()
	b.next = min(2*b.next, backoffMost)
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
