package router

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/store"
)

const (
	recoveryBatch    = 256
	recoveryParallel = 32
	recoveryIdle     = time.Minute // a look at the table although nothing called for it
)

func (s *Service) wakeKey(key string) {
	s.wakeMu.Lock()
	s.wakeKeys[key] = true
	s.wakeMu.Unlock()
	s.wakeTimer()
}

func (s *Service) wakeEverything() {
	s.wakeMu.Lock()
	s.wakeAll = true
	s.wakeMu.Unlock()
	s.wakeTimer()
}

func (s *Service) wakeTimer() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Service) takeWoken() (keys []string, all bool) {
	s.wakeMu.Lock()
	defer s.wakeMu.Unlock()
	for key := range s.wakeKeys {
		keys = append(keys, key)
	}
	clear(s.wakeKeys)
	all, s.wakeAll = s.wakeAll, false
	slices.Sort(keys)
	return keys, all
}

// stayWoken puts back what was taken and could not be recovered; the next pass takes it again.
func (s *Service) stayWoken(all bool, keys ...string) {
	s.wakeMu.Lock()
	defer s.wakeMu.Unlock()
	s.wakeAll = s.wakeAll || all
	for _, key := range keys {
		s.wakeKeys[key] = true
	}
}

// recovery brings parked events back into the chain until ctx ends: when their time has come, when what they waited for has
// ended, and once at the start.
func (s *Service) recovery(ctx context.Context) {
	shared, idle := s.store.Shared(), recoveryIdle
	if shared {
		idle = time.Second // another instance may have parked, paused, resumed or died
	}
	var looked time.Time
	for ctx.Err() == nil {
		if time.Since(looked) >= recoveryIdle {
			looked = time.Now()
			s.wakeEverything()
		}
		var err error
		if shared {
			err = s.readPaused(ctx)
		}
		next, e := s.Recover(ctx)
		err = errors.Join(err, e)
		pause := max(next.Sub(s.store.Now()), 0)
		if next.IsZero() || pause > idle {
			pause = idle
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "recovering parked events; trying again", "error", err)
			pause = time.Second
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Recover handles every parked event that may go now, and tells when the next one comes due (the zero time: none does). One whose
// error says nothing about it (a panic of the chain, a cancelled handler, a failing database) keeps no other key back.
func (s *Service) Recover(ctx context.Context) (next time.Time, err error) {
	for ctx.Err() == nil {
		if s.circuit.open.Load() {
			next, err := s.probe(ctx)
			if s.circuit.open.Load() || err != nil {
				return next, err
			}
		}
		keys, all := s.takeWoken()
		moved, err := s.recoverDue(ctx)
		if err != nil && !moved { // the table cannot be read
			s.stayWoken(all, keys...)
			return next, err
		}
		if all {
			err = errors.Join(err, s.recoverAll(ctx))
		}
		err = errors.Join(err, s.recoverKeys(ctx, keys))
		if err != nil {
			return next, err
		}
		if !moved && !all && len(keys) == 0 {
			break
		}
	}
	err = s.store.View(ctx, func(ctx context.Context, r store.Reader) (err error) {
		next, _, err = store.NextParked(ctx, r)
		return err
	})
	return next, err
}

// recoverDue handles retries whose time has come, and makes dead letters of events that waited too long for a predecessor. An
// error beside moved is the first row's that had one; the others were handled.
func (s *Service) recoverDue(ctx context.Context) (moved bool, err error) {
	var due []store.Parked
	err = s.store.View(ctx, func(ctx context.Context, r store.Reader) (err error) {
		due, err = store.DueParked(ctx, r, s.store.Now(), recoveryBatch)
		return err
	})
	if err != nil || len(due) == 0 {
		return false, err
	}
	var group errgroup.Group
	group.SetLimit(recoveryParallel)
	for _, p := range due {
		group.Go(func() error {
			if p.State == store.Waiting {
				return s.expireWait(ctx, p)
			}
			_, err := s.reenter(ctx, p)
			return err
		})
	}
	return true, group.Wait()
}

// expireWait ends the wait for a predecessor: unless it has come meanwhile, the event becomes a dead letter that holds nothing.
// While the consumer is paused, or the predecessor stands here and has not ended, it goes on waiting.
func (s *Service) expireWait(ctx context.Context, p store.Parked) error {
	ready := false
	err := s.store.DoKey(ctx, p.Key, func(ctx context.Context, tx *store.Tx) error {
		current, found, err := store.ParkedRow(ctx, tx, p.ID)
		if err != nil || !found || current.State != store.Waiting {
			return err
		}
		if ready, err = s.predecessorsEnded(ctx, tx, current); err != nil || ready {
			return err
		}
		if came, err := s.predecessorStands(ctx, tx, current); err != nil {
			return err
		} else if came || s.Paused() {
			due := tx.Now().Add(s.settings.FollowsTimeout)
			current.Due = &due
			return tx.Repark(ctx, current)
		}
		current.State, current.Code, current.Due, current.Held = store.Dead, CodeMissingPredecessor, nil, false
		current.Detail = "its predecessor " + current.Awaits + " has not come within " + s.settings.FollowsTimeout.String()
		current.Fingerprint = fingerprint(s.Name(), current.EventType, current.Code, current.Detail)
		if err := errOr(tx.Announce(current), func() error { return tx.Settle(ctx, current.EventID, store.Dead, current.Attempts, current.Code) }); err != nil {
			return err
		}
		tx.OnCommit(func() { s.wakeKey(current.Key) })
		return tx.Repark(ctx, current)
	})
	if err == nil && ready {
		_, err = s.reenter(ctx, p)
	}
	return err
}

func (s *Service) predecessorsEnded(ctx context.Context, tx *store.Tx, p store.Parked) (bool, error) {
	for _, predecessor := range s.follows[p.Topic] {
		ended, err := tx.Marked(ctx, p.Key, predecessor)
		if !ended || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *Service) predecessorStands(ctx context.Context, tx *store.Tx, p store.Parked) (bool, error) {
	for _, predecessor := range s.follows[p.Topic] {
		stands, err := tx.Stands(ctx, p.Key, predecessor)
		if stands || err != nil {
			return stands, err
		}
	}
	return false, nil
}

// recoverAll looks at every key for which an event waits and nothing holds it.
func (s *Service) recoverAll(ctx context.Context) error {
	var failed error
	seen := map[string]bool{} // its heads, one per topic, may lie pages apart
	for after := int64(0); !s.Paused(); {
		var heads []store.Parked
		err := s.store.View(ctx, func(ctx context.Context, r store.Reader) (err error) {
			heads, err = store.Heads(ctx, r, after, recoveryBatch)
			return err
		})
		if err != nil {
			s.stayWoken(true)
		}
		if err != nil || len(heads) == 0 {
			return errors.Join(failed, err)
		}
		var keys []string
		for _, p := range heads {
			if !seen[p.Key] {
				keys = append(keys, p.Key)
			}
			seen[p.Key], after = true, p.ID
		}
		failed = errors.Join(failed, s.recoverKeys(ctx, keys))
	}
	return failed
}

// recoverKeys recovers keys side by side. Its error is the first key's that had one; those that had one stay woken.
func (s *Service) recoverKeys(ctx context.Context, keys []string) error {
	var group errgroup.Group
	group.SetLimit(recoveryParallel)
	for _, key := range keys {
		group.Go(func() error {
			err := s.recoverKey(ctx, key)
			if err != nil {
				s.stayWoken(false, key)
			}
			return err
		})
	}
	return group.Wait()
}

// recoverKey sends on what waits for a key: dead letters whose predecessor has come after all, then, of the first waiting event
// of each topic, the one with the lowest timestamp that may go. Ending that one wakes its key, so that the next one follows.
func (s *Service) recoverKey(ctx context.Context, key string) error {
	late, heads, err := s.standingAt(ctx, key)
	if len(late) > 0 && err == nil {
		if err = s.sendLate(ctx, late); err == nil {
			_, heads, err = s.standingAt(ctx, key)
		}
	}
	if err != nil || s.Paused() {
		return err
	}
	slices.SortStableFunc(heads, func(a, b store.Parked) int { return a.OccurredAt.Compare(b.OccurredAt) })
	for _, p := range heads {
		if ended, err := s.reenter(ctx, p); ended || err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) standingAt(ctx context.Context, key string) (late, heads []store.Parked, err error) {
	err = s.store.View(ctx, func(ctx context.Context, r store.Reader) (err error) {
		if late, err = store.Missing(ctx, r, key, CodeMissingPredecessor); err == nil {
			heads, err = store.HeadsOf(ctx, r, key)
		}
		return err
	})
	return late, heads, err
}

// sendLate has dead letters whose predecessors have ended wait for their turn.
func (s *Service) sendLate(ctx context.Context, late []store.Parked) error {
	for _, was := range late {
		err := s.store.DoKey(ctx, was.Key, func(ctx context.Context, tx *store.Tx) error {
			p, found, err := store.ParkedRow(ctx, tx, was.ID)
			if err != nil || !found || !p.Same(was) {
				return err
			}
			ended, err := s.predecessorsEnded(ctx, tx, p)
			if !ended || err != nil {
				return err
			}
			p.State, p.Code, p.Due = store.Waiting, store.WaitFollows, nil
			return errOr(tx.Settle(ctx, p.EventID, p.State, p.Attempts, p.Code), func() error { return tx.Repark(ctx, p) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func errOr(err error, then func() error) error {
	if err != nil {
		return err
	}
	return then()
}

// reenter runs a parked event through the chain, and tells whether that ended it. One that comes while the circuit opens keeps its
// place.
func (s *Service) reenter(ctx context.Context, p store.Parked) (ended bool, err error) {
	var d *delivery
	err = s.reenterAs(ctx, p, func(begun *delivery) { d = begun })
	if errors.Is(err, errOpen) {
		err = nil
	}
	return d.outcome == outcomeApplied || d.outcome == outcomeIgnored, err
}

func (s *Service) reenterAs(ctx context.Context, p store.Parked, adapt func(*delivery)) error {
	msg := messageOf(ctx, p)
	d := s.newDelivery(p.Topic, msg, &p)
	adapt(d)
	msg.SetContext(withDelivery(ctx, d))
	_, err := s.handle(msg)
	return err
}
