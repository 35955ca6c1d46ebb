package router

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/first-viscount/viscount/store"
)

const verifyBatch = 1000

// verify looks through what this consumer has ended since the rebuild began, most of it before anybody has to wait. What the new
// projection lacks may only not have been read yet.
func (r *rebuild) verify(ctx context.Context) error {
	return r.live.store.View(ctx, func(ctx context.Context, live store.Reader) error {
		_, _, err := r.lacking(ctx, live)
		return err
	})
}

// verifyArrived sees that what this consumer has ended is in the new projection too.
func (r *rebuild) verifyArrived(ctx context.Context, live store.Reader) error {
	id, lacks, err := r.lacking(ctx, live)
	if err == nil && lacks {
		err = r.missing(ctx, id)
	}
	return err
}

// lacking finds the first event that this consumer has ended and the new projection has not, and moves on to it.
func (r *rebuild) lacking(ctx context.Context, live store.Reader) (id uuid.UUID, found bool, err error) {
	for {
		batch, err := store.ArrivedAfter(ctx, live, r.arrived, verifyBatch)
		if err != nil || len(batch) == 0 {
			return id, false, err
		}
		for _, a := range batch {
			there, err := r.hasEnded(ctx, a.EventID)
			if err != nil {
				return id, false, err
			}
			if !there && (a.State == store.Applied || a.State == store.Ignored) {
				return a.EventID, true, nil
			}
			r.arrived = a.Position
		}
	}
}

// verifyParked sees that what the new projection could not apply was not applied here either, as by a requeue.
func (r *rebuild) verifyParked(ctx context.Context, live store.Reader) error {
	return r.shadow.View(ctx, func(ctx context.Context, shadow store.Reader) error {
		parked, err := store.AllParked(ctx, shadow)
		if err != nil {
			return err
		}
		for _, p := range parked {
			state, found, err := store.StateOf(ctx, live, p.EventID)
			if err != nil {
				return err
			}
			if found && state.Ended() {
				return fails(p)
			}
		}
		return nil
	})
}

func fails(p store.Parked) error {
	return fmt.Errorf("event %s (%s), which was handled before, fails now: %s %s", p.EventID, p.EventType, p.Code, p.Detail)
}

func (r *rebuild) hasEnded(ctx context.Context, id uuid.UUID) (ended bool, err error) {
	err = r.shadow.View(ctx, func(ctx context.Context, shadow store.Reader) error {
		state, found, err := store.StateOf(ctx, shadow, id)
		ended = found && state.Ended()
		return err
	})
	return ended, err
}

// missing says why an event that this consumer has handled is not in the new projection.
func (r *rebuild) missing(ctx context.Context, id uuid.UUID) error {
	return r.shadow.View(ctx, func(ctx context.Context, shadow store.Reader) error {
		parked, err := store.AllParked(ctx, shadow)
		if err != nil {
			return err
		}
		for _, p := range parked {
			if p.EventID == id {
				return fails(p)
			}
		}
		return fmt.Errorf("event %s was handled, but is not among the recorded events (it was published directly to a transport that keeps none), and would be lost", id)
	})
}

// replace lets the new projection take the old one's place, in one transaction that keeps every other event of the consumer
// waiting: it has then seen the same events and more. It may run more than once.
func (r *rebuild) replace(ctx context.Context) error {
	arrived := r.arrived
	return r.live.store.Do(ctx, func(ctx context.Context, tx *store.Tx) error {
		r.arrived = arrived
		if err := tx.LockInbox(ctx); err != nil {
			return err
		}
		if err := r.fill(ctx); err != nil { // what was published meanwhile, some of it handled here
			return err
		}
		for _, check := range []func(context.Context, store.Reader) error{r.verifyArrived, r.verifyParked, r.verifyUnchanged, r.verifyComplete} {
			if err := check(ctx, tx); err != nil {
				return err
			}
		}
		if err := r.settleParked(ctx, tx); err != nil {
			return err
		}
		if err := tx.TakeOver(ctx, r.shadow, r.live.consumer.Rebuild.Tables...); err != nil {
			return err
		}
		return tx.TakeInbox(ctx, r.shadow)
	})
}

// verifyUnchanged sees that nobody changed what the new projection began with.
func (r *rebuild) verifyUnchanged(ctx context.Context, live store.Reader) error {
	for _, rows := range r.live.consumer.Rebuild.Kept {
		n, err := store.CountRows(ctx, live, rows)
		if err != nil {
			return err
		}
		if n != r.kept[rows.Table] {
			return fmt.Errorf("%s changed during the rebuild; nothing was replaced, begin again", rows.Table)
		}
	}
	now, err := discarded(ctx, live)
	if err != nil {
		return err
	}
	if len(now) != len(r.discarded) {
		return fmt.Errorf("an event was discarded during the rebuild; nothing was replaced, begin again")
	}
	return nil
}

// verifyComplete sees that as many events are recorded as the old projection was made from.
func (r *rebuild) verifyComplete(ctx context.Context, live store.Reader) error {
	had, err := store.Ended(ctx, live)
	if err != nil {
		return err
	}
	return r.shadow.View(ctx, func(ctx context.Context, shadow store.Reader) error {
		has, err := store.Ended(ctx, shadow)
		if err != nil {
			return err
		}
		if lost := had - int64(len(r.discarded)) - has; lost > 0 && !r.acceptLoss {
			return fmt.Errorf("%d of the %d events that %s has handled are no longer recorded (their retention is over, or they were published directly to a transport that keeps none), and what they left would be lost: nothing was replaced. --accept-loss replaces it all the same", lost, had, r.live.Name())
		}
		return nil
	})
}

// settleParked ends parked events that the new projection has applied. The others stay as they are, here; one that only the
// new projection cannot apply is no reason to stop, because it comes here too.
func (r *rebuild) settleParked(ctx context.Context, tx *store.Tx) error {
	parked, err := store.AllParked(ctx, tx)
	if err != nil {
		return err
	}
	for _, p := range parked {
		ended, err := r.hasEnded(ctx, p.EventID)
		if err != nil {
			return err
		}
		if !ended {
			continue
		}
		if err := tx.Settle(ctx, p.EventID, store.Applied, p.Attempts+1, "applied in a rebuild"); err != nil {
			return err
		}
		if err := tx.Unpark(ctx, p.ID); err != nil {
			return err
		}
		tx.Count(outcomeApplied, 1)
	}
	return nil
}
