package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/first-viscount/viscount/events"
)

const (
	pruneBatch     = 500
	horizonSetting = "inbox_horizon"
	keptSetting    = "topics_kept_since"
	answersKept    = 24 * time.Hour // Idempotency-Key, see interfaces.md
	auditKept      = 400 * 24 * time.Hour
	noticesKept    = 30 * 24 * time.Hour
	tracesKept     = 400 * 24 * time.Hour // of events that topics keep for ever, as long as of orders
)

// Retention says how long rows are kept.
type Retention struct {
	Inbox  time.Duration // how long duplicates are recognised
	Outbox time.Duration // of published events; 0: what each contract declares
	Topics string        // the transport whose topics keep recorded events, so that the outbox needs none for ever; "" if they do not
}

// Horizon is the time before which the inbox no longer knows what it has applied: an event from before it is not applied
// blindly. It is the zero time until something was pruned.
func (s *Store) Horizon() time.Time {
	if us := s.horizon.Load(); us != 0 {
		return Time(us)
	}
	return time.Time{}
}

// Horizon is Store.Horizon for an event of the given time. Another instance may have moved the horizon a moment ago, so that
// it is read again for all but young events.
func (t *Tx) Horizon(ctx context.Context, at time.Time) (time.Time, error) {
	if t.store.dialect.sole || t.now.Sub(at) < youngEvent {
		return t.store.Horizon(), nil
	}
	text, err := Setting(ctx, t, horizonSetting)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	us, err := strconv.ParseInt(text, 10, 64)
	return Time(us), err
}

// youngEvent is younger than any retention.
const youngEvent = time.Minute

func (s *Store) loadHorizon(ctx context.Context) error {
	return s.View(ctx, func(ctx context.Context, r Reader) error {
		text, err := Setting(ctx, r, horizonSetting)
		if err != nil || text == "" {
			return err
		}
		us, err := strconv.ParseInt(text, 10, 64)
		s.horizon.Store(us)
		return err
	})
}

// Prune removes what is older than its retention, in small transactions, and tells how many rows went.
func (s *Store) Prune(ctx context.Context, keep Retention) (removed int64, err error) {
	steps := []func(context.Context, Retention) (int64, error){s.pruneInbox, s.pruneOutbox, s.pruneRest}
	for _, step := range steps {
		n, err := step(ctx, keep)
		removed += n
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// pruneInbox moves the horizon first, so that no moment exists in which a row is gone and its event would be applied again.
// Parked events keep their rows.
func (s *Store) pruneInbox(ctx context.Context, keep Retention) (int64, error) {
	cutoff := micros(s.now().Add(-keep.Inbox))
	upTo, found, err := s.oldInbox(ctx, cutoff)
	if err != nil || !found {
		return 0, err
	}
	err = s.Do(ctx, func(ctx context.Context, tx *Tx) error {
		tx.OnCommit(func() { s.horizon.Store(cutoff) })
		return tx.Set(ctx, horizonSetting, strconv.FormatInt(cutoff, 10))
	})
	if err != nil {
		return 0, fmt.Errorf("moving the inbox horizon: %w", err)
	}
	return s.repeat(ctx, "DELETE FROM inbox WHERE pos IN (SELECT pos FROM inbox WHERE pos <= $2 AND at < $3 AND state IN (1, 2, 6) ORDER BY pos LIMIT $1)", pruneBatch, upTo, cutoff)
}

// oldInbox finds the last row before the first young one, in arrival order; found is false when the oldest row is young.
func (s *Store) oldInbox(ctx context.Context, cutoff int64) (pos int64, found bool, err error) {
	err = s.View(ctx, func(ctx context.Context, r Reader) error {
		young, any, err := One(ctx, r, scanInt, "SELECT pos FROM inbox WHERE at >= $1 ORDER BY pos LIMIT 1", cutoff)
		if err != nil {
			return err
		}
		if !any {
			pos, found, err = One(ctx, r, scanInt, "SELECT pos FROM inbox ORDER BY pos DESC LIMIT 1")
			return err
		}
		pos, found, err = One(ctx, r, scanInt, "SELECT pos FROM inbox WHERE pos < $1 AND state IN (1, 2, 6) ORDER BY pos DESC LIMIT 1", young)
		return err
	})
	return pos, found, err
}

// keptSince is the time from which on the transport's topics keep what is published. What another took before stands in the
// outbox alone.
func (s *Store) keptSince(ctx context.Context, transport string) (since int64, err error) {
	err = s.Do(ctx, func(ctx context.Context, tx *Tx) error {
		text, err := Setting(ctx, tx, keptSetting)
		if err != nil {
			return err
		}
		name, at, _ := strings.Cut(text, " ")
		switch {
		case name != transport:
			since = micros(tx.now)
			return tx.Set(ctx, keptSetting, transport+" "+strconv.FormatInt(since, 10))
		case transport == "":
			return nil
		}
		since, err = strconv.ParseInt(at, 10, 64)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reading since when topics keep events: %w", err)
	}
	return since, nil
}

// pruneOutbox removes published events per contract. Those that are kept for ever stay, unless the topic keeps them.
func (s *Store) pruneOutbox(ctx context.Context, keep Retention) (total int64, err error) {
	kept, err := s.keptSince(ctx, keep.Topics)
	if err != nil {
		return 0, err
	}
	for _, definition := range s.catalogue.All() {
		contract := definition.Contract
		n, err := s.pruneTopic(ctx, contract.DeadLetterTopic(), micros(s.now().Add(-noticesKept)), 0)
		total += n
		if err != nil {
			return total, err
		}
		if contract.Publisher != s.source {
			continue
		}
		age, since := contract.Retention, int64(0)
		if age == events.Unlimited {
			if keep.Topics == "" {
				continue
			}
			age, since = tracesKept, kept
		}
		if keep.Outbox > 0 {
			age = min(age, keep.Outbox)
		}
		n, err = s.pruneTopic(ctx, contract.Topic(), micros(s.now().Add(-age)), since)
		total += n
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// pruneTopic removes a topic's rows that happened before the cutoff and that the transport took, for certain at since or later.
func (s *Store) pruneTopic(ctx context.Context, topic string, cutoff, since int64) (int64, error) {
	return s.repeat(ctx, "DELETE FROM "+s.dialect.outbox+" WHERE id IN (SELECT id FROM outbox WHERE topic = $2 AND done_at >= $4 AND occurred_at < $3 ORDER BY id LIMIT $1)", pruneBatch, topic, cutoff, since)
}

func (s *Store) pruneRest(ctx context.Context, _ Retention) (total int64, err error) {
	now := s.now()
	n, err := s.repeat(ctx, "DELETE FROM http_idempotency WHERE scope IN (SELECT scope FROM http_idempotency WHERE created_at < $2 LIMIT $1)", pruneBatch, micros(now.Add(-answersKept)))
	if err != nil {
		return n, err
	}
	m, err := s.repeat(ctx, "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE at < $2 LIMIT $1)", pruneBatch, micros(now.Add(-auditKept)))
	return n + m, err
}

// repeat runs a deletion of a bounded number of rows until it finds none, one transaction each, so that the hot path never
// waits for long.
func (s *Store) repeat(ctx context.Context, query string, args ...any) (total int64, err error) {
	for ctx.Err() == nil {
		var n int64
		err := s.Do(ctx, func(ctx context.Context, tx *Tx) (err error) {
			n, err = tx.Exec(ctx, query, args...)
			return err
		})
		if err != nil {
			return total, fmt.Errorf("pruning: %w", err)
		}
		total += n
		if n == 0 {
			return total, nil
		}
	}
	return total, ctx.Err()
}
