package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Publisher hands rows to a transport: rows of one topic and one key, in order. It returns nil when all are taken (on
// gochannel: when every consumer has a durable outcome), ErrLeftBehind when some consumer could not take them for now, and
// any other error when nothing is known: the same rows are then tried again, and later rows of the key wait.
//
// round grows each time the relay begins again at the oldest pending row, with nothing in flight: what a consumer missed in
// one round reaches it, in order, in a later one.
type Publisher func(ctx context.Context, round int64, rows []Row) error

// ErrLeftBehind is a Publisher's answer for rows that a consumer could not take for a while. The rows stay pending for a
// later round, and stop nobody else meanwhile.
var ErrLeftBehind = errors.New("store: a consumer was left behind")

const (
	relayBacklog   = 16384 // rows held in memory; beyond it the table is the queue
	relayReadBatch = 512
	relayRun       = 32 // rows of one key published together
	relayKeys      = 1024
	sweepEvery     = 5 * time.Second
	roundPause     = time.Second // between rounds while a consumer is behind, doubling to
	roundPauseMost = 15 * time.Second
)

// relay publishes committed rows, in order per key. It reads them from the table: at the start, when a commit wakes it, when
// others may have committed, and in a slow sweep that no commit order can hide a row from. On SQLite, where nobody else
// commits, it is handed them in memory once it has caught up, until a backlog outgrows that.
type relay struct {
	store   *Store
	ctx     context.Context // of the term
	publish Publisher
	pending pendingReader
	leading atomic.Bool
	acks    acks
	failing atomic.Bool // the transport refuses: logged once per change
	behind  atomic.Bool // a row was left pending: a new round is due
	round   atomic.Int64

	mu      sync.Mutex
	changed *sync.Cond       // fewer rows held
	lanes   map[string]*lane // by key, while rows of it are held
	ready   []*lane          // lanes that wait for a worker
	workers int
	held    map[int64]bool // ids in the lanes
	left    map[int64]bool // ids that left a consumer behind
	cursor  int64          // highest id handed over in this pass over the table
	live    bool           // commits hand over directly, on SQLite; otherwise the reader catches up first
	missed  bool           // a commit came while not live

	wake    chan struct{}
	running sync.WaitGroup
}

type lane struct{ rows []Row }

// pendingReader reads rows that the transport has not taken, in commit order, after an id.
type pendingReader func(ctx context.Context, after int64, limit int) ([]Row, error)

func newRelay(s *Store) *relay {
	r := &relay{store: s, lanes: map[string]*lane{}, held: map[int64]bool{}, left: map[int64]bool{}, wake: make(chan struct{}, 1)}
	r.acks.flush = make(chan struct{}, 1)
	r.changed = sync.NewCond(&r.mu)
	return r
}

// Relay publishes this database's committed events until ctx ends; it returns when what it had in hand has ended too. Of
// several instances one leads at a time. It is called once in a store's life.
func (s *Store) Relay(ctx context.Context, publish Publisher) {
	s.relay.publish = publish
	if s.dialect.sole {
		s.relay.leading.Store(true)
		s.relay.term(ctx, func(ctx context.Context, after int64, limit int) (rows []Row, err error) {
			err = s.View(ctx, func(ctx context.Context, q Reader) (err error) {
				rows, err = s.pendingAfter(ctx, q, after, limit)
				return err
			})
			return rows, err
		})
		return
	}
	wait := newBackoff()
	for ctx.Err() == nil {
		err := s.lead(ctx, func(ctx context.Context, read pendingReader) {
			wait = newBackoff()
			s.log.InfoContext(ctx, "this instance leads the relay")
			var taking sync.WaitGroup
			taking.Go(func() { s.takeOver(ctx) })
			s.relay.term(ctx, read)
			taking.Wait()
		})
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "this instance does not lead the relay; trying again", "error", err)
			wait.sleep(ctx)
		}
	}
}

// Leading tells whether this instance publishes the service's events, and prunes its tables.
func (s *Store) Leading() bool { return s.relay.leading.Load() }

// term publishes until ctx ends, beginning with the oldest pending row.
func (r *relay) term(ctx context.Context, read pendingReader) {
	r.mu.Lock()
	r.ctx, r.pending, r.cursor = ctx, read, 0
	r.mu.Unlock()
	stop := context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.changed.Broadcast()
	})
	defer stop()
	r.read(ctx)
	r.mu.Lock()
	r.live = false
	r.mu.Unlock()
	r.running.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.lanes)
	clear(r.held)
	r.ready = nil
}

// read catches up from the table, then sleeps until commits outgrow memory, a round is due or the sweep is.
func (r *relay) read(ctx context.Context) {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	var poll poll // nobody else commits to SQLite's file
	if !r.store.dialect.sole {
		poll = newPoll(relayIdle)
		defer poll.stop()
	}
	pause := roundPause
	var nextRound <-chan time.Time
	for woken := false; ctx.Err() == nil; {
		found, err := r.catchUp(ctx)
		if err != nil && ctx.Err() == nil {
			r.store.log.ErrorContext(ctx, "reading the outbox; trying again", "error", err)
			r.behind.Store(true)
		}
		if !r.behind.Load() {
			pause = roundPause
		} else if nextRound == nil {
			nextRound = time.After(pause)
			pause = min(2*pause, roundPauseMost)
		}
		others := found && !woken // commits of this process wake the relay themselves
		woken = false
		select {
		case <-ctx.Done():
		case <-r.wake:
			woken = true
		case <-poll.next(others):
		case <-nextRound:
			nextRound = nil
			r.newRound(ctx)
		case <-sweep.C:
			r.rewind()
		}
	}
}

// rewind makes the next catching up begin at the oldest pending row that is not in hand.
func (r *relay) rewind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cursor, r.live = 0, false
}

// newRound waits until nothing is in flight and begins again at the oldest pending row.
func (r *relay) newRound(ctx context.Context) {
	r.rewind()
	r.mu.Lock()
	for len(r.held) > 0 && ctx.Err() == nil {
		r.changed.Wait()
	}
	r.mu.Unlock()
	r.behind.Store(false)
	r.round.Add(1)
}

// catchUp hands over the pending rows beyond the cursor until none is left, and tells whether there were any. Then commits
// hand over directly, if nobody else commits to this database.
func (r *relay) catchUp(ctx context.Context) (found bool, err error) {
	for {
		r.mu.Lock()
		after, live := r.cursor, r.live
		r.missed = false
		r.mu.Unlock()
		if live {
			return found, nil
		}
		r.acks.reading()
		rows, err := r.pending(ctx, after, relayReadBatch)
		if err != nil {
			return found, err
		}
		more := r.take(ctx, rows)
		r.acks.read()
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		found = found || len(rows) > 0
		if !more {
			return found, nil
		}
	}
}

// take puts rows read from the table into the lanes and tells whether to read on. Commits may hand over when no rows were
// left and no commit came since the read began.
func (r *relay) take(ctx context.Context, rows []Row) (more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(rows) == 0 {
		r.live = r.store.dialect.sole && !r.missed
		return r.missed
	}
	for len(r.held) > relayBacklog/2 && ctx.Err() == nil {
		r.changed.Wait()
	}
	for i := range rows {
		if ctx.Err() != nil {
			return false
		}
		r.cursor = max(r.cursor, rows[i].ID)
		if !r.held[rows[i].ID] && !r.acks.has(rows[i].ID) {
			r.add(rows[i])
		}
	}
	return true
}

// hand is called by the committer with the rows of a commit, in order.
func (r *relay) hand(rows []Row) {
	if len(rows) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.live {
		r.missed = true
		if !r.store.dialect.sole {
			r.nudge()
		}
		return
	}
	if len(r.held)+len(rows) > relayBacklog {
		r.live, r.missed = false, true
		r.nudge()
		return
	}
	for i := range rows {
		r.cursor = max(r.cursor, rows[i].ID)
		r.add(rows[i])
	}
}

// add queues a row behind the others of its key. The caller holds mu.
func (r *relay) add(row Row) {
	r.held[row.ID], row.Again = true, r.left[row.ID]
	if l, busy := r.lanes[row.Key]; busy {
		l.rows = append(l.rows, row)
		return
	}
	l := &lane{rows: []Row{row}}
	r.lanes[row.Key] = l
	if r.workers == relayKeys {
		r.ready = append(r.ready, l)
		return
	}
	r.workers++
	r.running.Go(func() { r.work(r.ctx, row.Key, l) })
}

// work publishes a lane until it is empty, then the next one that waits.
func (r *relay) work(ctx context.Context, key string, l *lane) {
	for {
		r.mu.Lock()
		if len(l.rows) == 0 {
			delete(r.lanes, key)
			if len(r.ready) == 0 {
				r.workers--
				r.mu.Unlock()
				return
			}
			l, r.ready = r.ready[0], r.ready[1:]
			key = l.rows[0].Key
		} else if len(r.ready) > 0 { // lanes that wait have their turn, so that busy keys starve nobody
			r.ready = append(r.ready, l)
			l, r.ready = r.ready[0], r.ready[1:]
			key = l.rows[0].Key
		}
		run := nextRun(l.rows)
		r.mu.Unlock()

		taken, behind := r.send(ctx, run)
		if taken {
			r.acks.add(run) // before they leave the lane: a sweep in between would send them again
		}

		r.mu.Lock()
		r.note(run, behind)
		l.rows = l.rows[len(run):]
		for i := range run {
			delete(r.held, run[i].ID)
		}
		r.changed.Broadcast()
		r.mu.Unlock()
	}
}

// note remembers which rows left a consumer behind. The caller holds mu.
func (r *relay) note(rows []Row, behind bool) {
	for i := range rows {
		if behind {
			r.left[rows[i].ID] = true
		} else {
			delete(r.left, rows[i].ID)
		}
	}
}

// nextRun is what can be published in one call: the first rows of the lane that share a topic.
func nextRun(rows []Row) []Row {
	n := 1
	for n < len(rows) && n < relayRun && rows[n].Topic == rows[0].Topic && rows[n].Again == rows[0].Again {
		n++
	}
	return rows[:n:n]
}

// send publishes rows, again and again while the transport refuses them. They stay pending when they are not taken, because
// they left a consumer behind or because the relay stops.
func (r *relay) send(ctx context.Context, rows []Row) (taken, behind bool) {
	wait := newBackoff()
	for ctx.Err() == nil {
		err := r.publish(ctx, r.round.Load(), rows)
		switch {
		case err == nil:
			r.published(ctx, rows)
			return true, false
		case errors.Is(err, ErrLeftBehind):
			r.behind.Store(true)
			r.nudge()
			return false, true
		case ctx.Err() != nil:
			return false, false
		}
		r.store.metrics.refused.WithLabelValues(r.store.name).Inc()
		if !r.failing.Swap(true) {
			r.store.log.ErrorContext(ctx, "the transport takes no events; they stay in the outbox and are tried again", "topic", rows[0].Topic, "error", err)
		}
		wait.sleep(ctx)
	}
	return false, false
}

// nudge wakes the reader: there are rows in the table, or a round is to be planned.
func (r *relay) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// published logs each event once (contract document, "Phase 1") and counts it. Payloads are never logged: they hold addresses.
func (r *relay) published(ctx context.Context, rows []Row) {
	if r.failing.Swap(false) {
		r.store.log.InfoContext(ctx, "the transport takes events again")
	}
	for i := range rows {
		row := &rows[i]
		r.store.metrics.published.WithLabelValues(r.store.name, row.EventType).Inc()
		r.store.log.LogAttrs(ctx, slog.LevelInfo, "event published", slog.String("event_type", row.EventType), slog.String("event_id", row.EventID.String()),
			slog.String("correlation_id", row.CorrelationID), slog.String("entity_id", row.Key))
	}
}
