package router

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/store"
)

// requeue gives one dead letter another delivery, and waits for how it ends.
func (s *Service) requeue(ctx context.Context, m Mending, l store.DeadLetter) (mended, error) {
	ctx = context.WithoutCancel(ctx) // what was begun is brought to its end, though nobody listens any more
	if l.ID.Job {
		return s.requeueJob(ctx, m, l)
	}
	return s.requeueEvent(ctx, m, l)
}

// requeueEvent changes the row's state in place, under the lock of its key, and sends it through the chain. Should the
// process end in between, recovery finds the row when its time has come.
func (s *Service) requeueEvent(ctx context.Context, m Mending, l store.DeadLetter) (mended, error) {
	p, err := s.deadEvent(ctx, l.ID)
	if err != nil {
		return ending("", err)
	}
	var d *delivery
	if p.Refused {
		if d, err = s.read(ctx, p); err != nil {
			return s.refusedAgain(ctx, m, p, err)
		}
		p.Key = d.event.Key
	}
	outcome := ""
	err = s.store.DoKey(ctx, p.Key, func(ctx context.Context, tx *store.Tx) (err error) {
		outcome = ""
		if p, err = store.DeadEvent(ctx, tx, l.ID.N); err != nil {
			return err
		}
		if err := tx.Audit(ctx, m.Actor, "requeue", s.letterName(l.ID), m.Reason); err != nil {
			return err
		}
		if p.Refused {
			if outcome, err = s.admit(ctx, tx, d, &p); err != nil || outcome != "" {
				return err
			}
		}
		due := tx.Now().Add(s.requeueHold())
		p.State, p.Due = store.Retrying, &due
		if err := tx.Settle(ctx, p.EventID, p.State, p.Attempts, p.Code); err != nil {
			return err
		}
		return tx.Repark(ctx, p)
	})
	switch {
	case errors.Is(err, store.ErrConflict):
		return s.refusedAgain(ctx, m, p, err)
	case err != nil || outcome != "":
		return ending(outcome, err)
	}
	if p, err = s.parkedRow(ctx, p.ID); err != nil {
		return mended{}, err
	}
	err = s.reenterAs(ctx, p, func(d *delivery) { d.probe = true }) // a person asks for it, though the circuit be open
	if err != nil && !errors.Is(err, errOpen) {
		return mended{}, err
	}
	return s.standing(ctx, p)
}

// requeueHold is how long recovery leaves an event alone that an operator has sent through the chain.
func (s *Service) requeueHold() time.Duration {
	return 2 * time.Duration(1+s.settings.ImmediateRetries) * s.settings.AttemptTimeout
}

func (s *Service) deadEvent(ctx context.Context, id store.LetterID) (p store.Parked, err error) {
	err = s.store.View(ctx, func(ctx context.Context, r store.Reader) (err error) {
		p, err = store.DeadEvent(ctx, r, id.N)
		return err
	})
	return p, err
}

func (s *Service) parkedRow(ctx context.Context, id int64) (p store.Parked, err error) {
	err = s.store.View(ctx, func(ctx context.Context, r store.Reader) (err error) {
		p, _, err = store.ParkedRow(ctx, r, id)
		return err
	})
	return p, err
}

// read decodes a parked message as it would be decoded if it came now.
func (s *Service) read(ctx context.Context, p store.Parked) (*delivery, error) {
	msg := messageOf(ctx, p)
	d := s.newDelivery(p.Topic, msg, &p)
	msg.SetContext(withDelivery(ctx, d))
	_, err := s.decode(func(*message.Message) ([]*message.Message, error) { return nil, nil })(msg)
	return d, err
}

// messageOf is a parked event as the transport brought it.
func messageOf(ctx context.Context, p store.Parked) *message.Message {
	msg := message.NewMessage(p.EventID.String(), p.Payload)
	for name, value := range p.Metadata {
		msg.Metadata.Set(name, value)
	}
	msg.SetContext(ctx)
	return msg
}

// admit enters a message that was turned away into the inbox, now that it can be read (or, beyond_inbox, that a person has
// decided to apply it). An event that stands there already needs no second handling.
func (s *Service) admit(ctx context.Context, tx *store.Tx, d *delivery, p *store.Parked) (outcome string, err error) {
	_, fresh, err := tx.Arrive(ctx, store.Arrival{EventID: d.event.Envelope.EventID, Digest: d.event.Digest(), Foreign: d.foreign})
	if err != nil {
		return "", err
	}
	if !fresh {
		tx.Count(outcomeDuplicate, 1)
		return outcomeDuplicate, tx.Dismiss(ctx, p.ID)
	}
	e := d.event.Envelope
	p.Refused, p.EventID, p.EventType, p.Key = false, e.EventID, e.EventType, d.event.Key
	p.CorrelationID, p.OccurredAt = e.CorrelationID, e.Timestamp
	return "", tx.Admit(ctx, *p)
}

// refusedAgain records that a message is still turned away.
func (s *Service) refusedAgain(ctx context.Context, m Mending, p store.Parked, cause error) (mended, error) {
	v := judge(cause)
	f := LetterFailure{ID: store.LetterID{N: p.ID}, Code: v.code, Detail: v.detail, Fingerprint: fingerprint(s.Name(), p.EventType, v.code, v.detail)}
	err := s.store.DoKey(ctx, p.Key, func(ctx context.Context, tx *store.Tx) error {
		current, err := store.DeadEvent(ctx, tx, p.ID)
		if err != nil {
			return err
		}
		current.Code, current.Detail, current.Fingerprint = f.Code, f.Detail, f.Fingerprint
		now := tx.Now()
		current.Attempts++
		current.FailedLast = &now
		if err := tx.Audit(ctx, m.Actor, "requeue", s.letterName(f.ID), m.Reason); err != nil {
			return err
		}
		return tx.Repark(ctx, current)
	})
	done, err := ending(outcomeDead, err)
	if done.outcome == outcomeDead {
		done.failure = &f
	}
	return done, err
}

// standing is how a requeued event stands after its delivery.
func (s *Service) standing(ctx context.Context, p store.Parked) (done mended, err error) {
	err = s.store.View(ctx, func(ctx context.Context, r store.Reader) error {
		current, found, err := store.ParkedRow(ctx, r, p.ID)
		if err != nil {
			return err
		}
		if !found {
			ended, err := store.Deliveries(ctx, r, []uuid.UUID{p.EventID})
			done.outcome = ended[p.EventID].State.String()
			return err
		}
		done.outcome = current.State.String()
		if done.wait = current.Code; current.State != store.Waiting {
			done.wait = ""
			done.failure = &LetterFailure{ID: store.LetterID{N: p.ID}, Code: current.Code, Detail: current.Detail, Fingerprint: current.Fingerprint}
		}
		return nil
	})
	return done, err
}

// requeueJob gives a job whose retries are spent one more attempt.
func (s *Service) requeueJob(ctx context.Context, m Mending, l store.DeadLetter) (done mended, err error) {
	var row store.JobRow
	err = s.store.Do(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if row, err = tx.ReviveJob(ctx, l.ID.N, s.jobLease()); err != nil {
			return err
		}
		return tx.Audit(ctx, m.Actor, "requeue", s.letterName(l.ID), m.Reason)
	})
	if err != nil {
		return ending("", err)
	}
	s.runJob(ctx, row)
	err = s.store.View(ctx, func(ctx context.Context, r store.Reader) error {
		again, err := store.Letter(ctx, r, l.ID)
		if err == nil {
			done = mended{outcome: outcomeDead, failure: &LetterFailure{ID: l.ID, Code: again.Code, Detail: again.Detail, Fingerprint: again.Fingerprint}}
			return nil
		}
		if !errors.Is(err, store.ErrNoLetter) {
			return err
		}
		planned, err := store.JobPlanned(ctx, r, l.ID.N)
		done.outcome = outcomeApplied
		if planned {
			done = mended{outcome: outcomeRetrying, failure: &LetterFailure{ID: l.ID, Code: CodeHandlerFailed, Detail: "it failed and will be tried again by itself"}}
		}
		return err
	})
	return done, err
}

// errRolledBack ends the transaction of a trial.
var errRolledBack = errors.New("router: a trial is rolled back")

// tryOut runs the handler on one dead letter and rolls back what it did.
func (s *Service) tryOut(ctx context.Context, _ Mending, l store.DeadLetter) (mended, error) {
	if l.ID.Job {
		return s.tryJob(ctx, l)
	}
	p, err := s.deadEvent(ctx, l.ID)
	if err != nil {
		return ending("", err)
	}
	msg := messageOf(ctx, p)
	d := s.newDelivery(p.Topic, msg, &p)
	msg.SetContext(withDelivery(ctx, d))
	h := message.HandlerFunc(s.handler)
	for _, wrap := range []message.HandlerMiddleware{s.trial, recoverer, s.timeout, s.correlate, s.decode} {
		h = wrap(h)
	}
	_, err = h(msg)
	done, err := s.tried(l, d.outcome, err)
	done.wait = d.reason
	return done, err
}

// tried tells how a trial ended.
func (s *Service) tried(l store.DeadLetter, outcome string, err error) (mended, error) {
	if err == nil {
		return mended{outcome: outcome}, nil
	}
	if store.Uncounted(err) {
		return mended{}, err
	}
	v := judge(err)
	return mended{outcome: outcomeDead, failure: &LetterFailure{ID: l.ID, Code: v.code, Detail: v.detail, Fingerprint: fingerprint(s.Name(), l.Type, v.code, v.detail)}}, nil
}

// trial is transact for a dry run: everything happens, then nothing has.
func (s *Service) trial(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		d := deliveryOf(msg)
		err := s.store.DoKey(msg.Context(), d.key(), func(ctx context.Context, tx *store.Tx) error {
			try := *d
			if err := s.tryEvent(ctx, tx, &try, msg, next); err != nil {
				return err
			}
			d.outcome, d.reason = try.outcome, try.reason
			return errRolledBack
		})
		if errors.Is(err, errRolledBack) {
			err = nil
		}
		return nil, err
	}
}

func (s *Service) tryEvent(ctx context.Context, tx *store.Tx, d *delivery, msg *message.Message, next message.HandlerFunc) error {
	d.outcome = outcomeApplied
	if d.parked.Refused {
		_, fresh, err := tx.Arrive(ctx, store.Arrival{EventID: d.event.Envelope.EventID, Digest: d.event.Digest(), Foreign: d.foreign})
		if err != nil || !fresh {
			d.outcome = outcomeDuplicate
			return err
		}
	}
	wait, _, err := s.mustWait(ctx, tx, d)
	if err != nil || wait != "" {
		d.outcome, d.reason = outcomeWaiting, wait
		return err
	}
	d.tx = tx
	inside := message.NewMessage(msg.UUID, msg.Payload)
	inside.Metadata = msg.Metadata
	inside.SetContext(withDelivery(ctx, d))
	_, err = next(inside)
	var ignored *store.IgnoreError
	if errors.As(err, &ignored) {
		d.outcome = outcomeIgnored
		return nil
	}
	return err
}

// tryJob runs a job that only writes; one that touches the world outside cannot be rolled back there.
func (s *Service) tryJob(ctx context.Context, l store.DeadLetter) (mended, error) {
	job, known := s.jobs[l.Type]
	if known && job.outside != nil {
		return mended{outcome: outcomeSkipped, failure: &LetterFailure{ID: l.ID, Code: CodeOutside, Detail: "the job " + l.Type + " touches the world outside, which a dry run cannot take back", Fingerprint: l.Fingerprint}}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.settings.AttemptTimeout)
	defer cancel()
	err := s.store.DoKey(ctx, l.Key, func(ctx context.Context, tx *store.Tx) error {
		row, err := store.DeadJob(ctx, tx, l.ID.N)
		if err != nil {
			return err
		}
		if !known {
			return unknownJob(row.Kind, s.Name())
		}
		if err := job.inside(ctx, tx, row.Payload, nil); err != nil {
			return err
		}
		return errRolledBack
	})
	switch {
	case errors.Is(err, errRolledBack):
		err = nil
	case errors.Is(err, store.ErrNoLetter):
		return mended{outcome: outcomeGone}, nil
	}
	return s.tried(l, outcomeApplied, err)
}
