package router

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/store"
)

// Mending is what an operator asks of this consumer's dead letters.
type Mending struct {
	Actor, Reason string // who and why, for the audit
	Filter        store.LetterFilter
	After         store.LetterID // begins behind this one, in the order in which they came; the zero id: at the first
	Limit         int            // of letters that are taken in hand; 0: all
	Patience      time.Duration  // no letter is taken in hand later than this; 0: no bound
}

// Mended is what became of them.
type Mended struct {
	Tried    int64            // letters that were taken in hand
	Outcomes map[string]int64 // how many ended applied, ignored, duplicate, waiting, retrying, dead, discarded, released, gone, skipped
	Waits    map[string]int64 // of those that wait, how many for which reason (store.Wait…)
	Failures []LetterFailure  // of those that failed, by cause
	Stopped  *LetterFailure   // why it ended before its time, nil if it did not
	Last     store.LetterID   // the last that was taken in hand
	More     bool             // some behind Last were not taken in hand
}

// LetterFailure is why dead letters failed again, or could not be tried.
type LetterFailure struct {
	ID          store.LetterID // the first of them
	Code        string
	Detail      string
	Fingerprint string
	Count       int64
}

// Outcomes of an operator's action, beside those of a delivery.
const (
	outcomeDiscarded = "discarded"
	outcomeReleased  = "released"
	outcomeGone      = "gone"    // no dead letter any more
	outcomeSkipped   = "skipped" // cannot be tried out
)

// CodeOutside says that a job was not tried out, because it touches the world outside.
const CodeOutside = "touches_outside"

// CodeUnavailable says that the database, or a stopping process, ended an action.
const CodeUnavailable = "unavailable"

// mendingBatch is how many letters are in hand at the same time, at most.
const mendingBatch = 32

// mended is what became of one letter.
type mended struct {
	outcome string
	failure *LetterFailure
	wait    string // why it waits, "" if it does not
}

// action is what is done with each letter.
type action struct {
	first int  // letters in the first batch; each next one is twice as large
	stops bool // ends when the same fingerprint returns
	one   func(ctx context.Context, m Mending, l store.DeadLetter) (mended, error)
}

// Requeue sends dead letters back to the handler that failed, in the order in which they came: the first alone, then more
// and more at the same time. It ends when a letter fails as it did before.
func (s *Service) Requeue(ctx context.Context, m Mending) (Mended, error) {
	return s.mend(ctx, m, action{first: 1, stops: true, one: s.requeue})
}

// TryOut runs the handlers on dead letters and rolls everything back.
func (s *Service) TryOut(ctx context.Context, m Mending) (Mended, error) {
	return s.mend(ctx, m, action{first: mendingBatch, one: s.tryOut})
}

// Discard gives dead letters up: they end without effect, and what waited behind them goes on.
func (s *Service) Discard(ctx context.Context, m Mending) (Mended, error) {
	return s.mend(ctx, m, action{first: mendingBatch, one: s.discard})
}

// Release lets what waits behind dead letters pass; the letters stay.
func (s *Service) Release(ctx context.Context, m Mending) (Mended, error) {
	return s.mend(ctx, m, action{first: mendingBatch, one: s.release})
}

// Preview counts what an action would be about, without doing anything.
func (s *Service) Preview(ctx context.Context, m Mending) (Mended, error) {
	return s.mend(ctx, m, action{first: mendingBatch, one: func(context.Context, Mending, store.DeadLetter) (mended, error) {
		return mended{}, nil
	}})
}

func (s *Service) mend(ctx context.Context, m Mending, a action) (Mended, error) {
	result := Mended{Outcomes: map[string]int64{}, Waits: map[string]int64{}, Last: m.After}
	var err error
	began := time.Now()
	for size := a.first; err == nil; size = min(2*size, mendingBatch) {
		if m.Limit > 0 {
			size = min(size, m.Limit-int(result.Tried))
		}
		var batch []store.DeadLetter
		err = s.store.View(ctx, func(ctx context.Context, r store.Reader) (err error) {
			batch, err = store.NextLetters(ctx, r, m.Filter, result.Last, size+1)
			return err
		})
		result.More = len(batch) > size
		batch = batch[:min(size, len(batch))]
		tired := m.Patience > 0 && time.Since(began) > m.Patience && result.Tried > 0
		if err != nil || len(batch) == 0 || tired || result.Stopped != nil || ctx.Err() != nil {
			result.More = result.More || len(batch) > 0
			break
		}
		err = s.mendBatch(ctx, m, a, batch, &result)
		result.Tried += int64(len(batch))
	}
	if err != nil && result.Tried > 0 { // what was done is worth telling
		result.Stopped, err = &LetterFailure{ID: result.Last, Code: CodeUnavailable, Detail: err.Error(), Count: 1}, nil
	}
	return result, err
}

// mendBatch takes letters in hand at the same time, those of one key one after the other.
func (s *Service) mendBatch(ctx context.Context, m Mending, a action, batch []store.DeadLetter, result *Mended) error {
	done := make([]mended, len(batch))
	byKey := map[string][]int{}
	for i, l := range batch {
		byKey[l.Key] = append(byKey[l.Key], i)
	}
	var group errgroup.Group
	for _, indexes := range byKey {
		group.Go(func() (err error) {
			for _, i := range indexes {
				if done[i], err = a.one(ctx, m, batch[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := group.Wait()
	for i, one := range done {
		if one.outcome != "" {
			result.Outcomes[one.outcome]++
		}
		if one.wait != "" {
			result.Waits[one.wait]++
		}
		if one.failure == nil {
			continue
		}
		result.add(*one.failure)
		if a.stops && result.Stopped == nil && one.failure.Fingerprint == batch[i].Fingerprint {
			result.Stopped = one.failure
		}
	}
	result.Last = batch[len(batch)-1].ID
	return err
}

func (r *Mended) add(f LetterFailure) {
	i := slices.IndexFunc(r.Failures, func(known LetterFailure) bool { return known.Code == f.Code && known.Fingerprint == f.Fingerprint })
	if i < 0 {
		f.Count = 1
		r.Failures = append(r.Failures, f)
		return
	}
	r.Failures[i].Count++
}

// letterName is how people name a dead letter: inventory-42.
func (s *Service) letterName(id store.LetterID) string { return s.Name() + "-" + id.String() }

// ending turns a letter that is none any more into an outcome.
func ending(outcome string, err error) (mended, error) {
	if errors.Is(err, store.ErrNoLetter) {
		return mended{outcome: outcomeGone}, nil
	}
	return mended{outcome: outcome}, err
}

// discard ends a letter without effect.
func (s *Service) discard(ctx context.Context, m Mending, l store.DeadLetter) (mended, error) {
	err := s.store.DoKey(ctx, l.Key, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Audit(ctx, m.Actor, "discard", s.letterName(l.ID), m.Reason); err != nil {
			return err
		}
		if l.ID.Job {
			return tx.DiscardJob(ctx, l.ID.N)
		}
		p, err := store.DeadEvent(ctx, tx, l.ID.N)
		if err != nil {
			return err
		}
		if p.Refused {
			return tx.Dismiss(ctx, p.ID)
		}
		return s.giveUp(ctx, tx, p, m.Reason)
	})
	done, err := ending(outcomeDiscarded, err)
	if err == nil && done.outcome == outcomeDiscarded && !l.ID.Job {
		s.metrics.handled.WithLabelValues(s.Name(), l.Type, outcomeDiscarded).Inc()
	}
	return done, err
}

// giveUp ends an event of the inbox: its successors no longer wait for it, and its key is free.
func (s *Service) giveUp(ctx context.Context, tx *store.Tx, p store.Parked, reason string) error {
	if err := tx.Settle(ctx, p.EventID, store.Discarded, p.Attempts, reason); err != nil {
		return err
	}
	if s.isPredecessor[p.Topic] {
		if err := tx.Mark(ctx, p.Key, p.EventType); err != nil {
			return err
		}
	}
	tx.Count(outcomeDiscarded, 1)
	tx.OnCommit(func() { s.wakeKey(p.Key) })
	return tx.Unpark(ctx, p.ID)
}

// release lets the events of a letter's key pass.
func (s *Service) release(ctx context.Context, m Mending, l store.DeadLetter) (mended, error) {
	if !l.Held {
		return mended{outcome: outcomeSkipped}, nil // it holds nothing, or was released a moment ago
	}
	var freed []store.LetterID
	err := s.store.DoKey(ctx, l.Key, func(ctx context.Context, tx *store.Tx) (err error) {
		if freed, err = tx.ReleaseKey(ctx, l.Key); err != nil {
			return err
		}
		for _, id := range freed {
			if err := tx.Audit(ctx, m.Actor, "release", s.letterName(id), m.Reason); err != nil {
				return err
			}
		}
		tx.OnCommit(func() { s.wakeKey(l.Key) })
		return nil
	})
	return mended{outcome: outcomeReleased}, err
}
