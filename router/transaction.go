package router

import (
	"context"
	"errors"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/store"
)

// Outcomes of a delivery, as the metric viscount_events_handled_total names them.
const (
	outcomeApplied   = "applied"
	outcomeIgnored   = "ignored"
	outcomeDuplicate = "duplicate"
	outcomeWaiting   = "waiting"
	outcomeRetrying  = "retrying"
	outcomeDead      = "dead"
)

// errFull refuses arrivals while as many events are parked as the settings allow: intake stops, nothing is dropped.
var errFull = errors.New("router: the limit of waiting events is reached (router.waiting_limit)")

// transact runs the handler inside a transaction of the service: the inbox row, the handler's changes, what it emits and its
// jobs commit together. Its error means that nothing of them happened.
func (s *Service) transact(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		d := deliveryOf(msg)
		if d.parked == nil && s.store.ParkedRows() >= int64(s.settings.WaitingLimit) {
			return nil, errFull
		}
		err := s.inTransaction(msg.Context(), d, func(ctx context.Context, tx *store.Tx, try *delivery) error {
			return s.attempt(ctx, tx, try, msg, next)
		})
		var ignored *store.IgnoreError
		if errors.As(err, &ignored) { // it had written something, which is rolled back now
			err = s.inTransaction(msg.Context(), d, func(ctx context.Context, tx *store.Tx, try *delivery) error {
				return s.ignore(ctx, tx, try, ignored.Reason)
			})
		}
		if err == nil {
			s.report(msg.Context(), d)
		}
		if d.outcome == outcomeApplied || d.outcome == outcomeIgnored {
			s.succeeded(msg.Context(), d)
		}
		return nil, err
	}
}

// untransacted stands in for transact in benchmarks.
func (s *Service) untransacted(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		_, err := next(msg)
		if err == nil {
			d := deliveryOf(msg)
			d.outcome = outcomeApplied
			s.report(msg.Context(), d)
		}
		return nil, err
	}
}

// inTransaction runs one try on a copy of the delivery, and takes the copy over when it is committed: a handler that was
// abandoned at its deadline may still run, and touches its own copy only.
func (s *Service) inTransaction(ctx context.Context, d *delivery, run func(ctx context.Context, tx *store.Tx, try *delivery) error) error {
	return s.store.DoKey(ctx, d.key(), func(ctx context.Context, tx *store.Tx) error {
		try := *d
		try.outcome, try.reason = "", ""
		tx.OnCommit(func() { *d = try })
		if d.subject != "" {
			if err := tx.Acquit(ctx, d.subject); err != nil {
				return err
			}
		}
		return run(ctx, tx, &try)
	})
}

// attempt is one try of an event inside its transaction.
func (s *Service) attempt(ctx context.Context, tx *store.Tx, d *delivery, msg *message.Message, next message.HandlerFunc) error {
	proceed, err := s.enter(ctx, tx, d)
	if !proceed || err != nil {
		return err
	}
	if wait, awaits, err := s.mustWait(ctx, tx, d); err != nil {
		return err
	} else if wait != "" {
		return s.park(ctx, tx, d, msg, wait, awaits)
	}
	d.tx = tx
	inside := message.NewMessage(msg.UUID, msg.Payload)
	inside.Metadata = msg.Metadata
	inside.SetContext(withDelivery(ctx, d))
	_, err = next(inside)
	var ignored *store.IgnoreError
	if errors.As(err, &ignored) && !tx.Wrote() {
		return s.settle(ctx, tx, d, store.Ignored, ignored.Reason)
	}
	if err != nil {
		return err
	}
	return s.settle(ctx, tx, d, store.Applied, "")
}

// enter takes the event's place in the inbox. It answers false for an event that needs no handling: a duplicate, or a parked
// one that somebody else has ended or tried meanwhile.
func (s *Service) enter(ctx context.Context, tx *store.Tx, d *delivery) (bool, error) {
	if d.parked != nil {
		current, found, err := store.ParkedRow(ctx, tx, d.parked.ID)
		return found && current.Same(*d.parked), err
	}
	_, fresh, err := tx.Arrive(ctx, store.Arrival{
		EventID: d.event.Envelope.EventID, Digest: d.event.Digest(), Foreign: d.foreign, Subject: d.event.Subject(), At: d.event.Envelope.Timestamp,
	})
	if err != nil {
		return false, err
	}
	if !fresh {
		d.outcome = outcomeDuplicate
		tx.Count(outcomeDuplicate, 1)
		return false, nil
	}
	horizon, err := tx.Horizon(ctx, d.event.Envelope.Timestamp)
	if err != nil {
		return false, err
	}
	if d.event.Envelope.Timestamp.Before(horizon) {
		return false, &refusal{code: CodeBeyondInbox, detail: "it is older than what the inbox remembers (" + horizon.Format("2006-01-02T15:04:05Z") + "), so that it may have been applied already"}
	}
	return true, nil
}

// mustWait tells why the event cannot be handled now, "" if it can.
func (s *Service) mustWait(ctx context.Context, tx *store.Tx, d *delivery) (code, awaits string, err error) {
	if d.paused {
		return store.WaitPaused, "", nil
	}
	if d.broken {
		return store.WaitCircuit, "", nil
	}
	if code, err := tx.Blocked(ctx, d.topic, d.key(), d.self()); code != "" || err != nil {
		return code, "", err
	}
	if s.filling.Load() {
		return "", "", nil
	}
	for _, predecessor := range s.follows[d.topic] {
		ended, err := tx.Marked(ctx, d.key(), predecessor)
		if err != nil {
			return "", "", err
		}
		if !ended {
			return store.WaitFollows, predecessor, nil
		}
	}
	return "", "", nil
}

// settle ends an event: applied or ignored.
func (s *Service) settle(ctx context.Context, tx *store.Tx, d *delivery, state store.State, reason string) error {
	d.outcome, d.reason = state.String(), reason
	id := d.event.Envelope.EventID
	if state != store.Applied || d.parked != nil || d.attempts > 0 {
		if err := tx.Settle(ctx, id, state, d.attempts+1, reason); err != nil {
			return err
		}
	}
	if s.isPredecessor[d.topic] {
		if err := tx.Mark(ctx, d.key(), d.route.Contract.Type); err != nil {
			return err
		}
	}
	if d.parked != nil {
		if err := tx.Unpark(ctx, d.parked.ID); err != nil {
			return err
		}
	}
	if key := d.key(); d.parked != nil || tx.HasParked(key) {
		tx.OnCommit(func() { s.wakeKey(key) })
	}
	tx.Count(d.outcome, 1)
	return nil
}

// ignore records an event whose handler wrote something before it found that there is nothing to do.
func (s *Service) ignore(ctx context.Context, tx *store.Tx, d *delivery, reason string) error {
	proceed, err := s.enter(ctx, tx, d)
	if !proceed || err != nil {
		return err
	}
	return s.settle(ctx, tx, d, store.Ignored, reason)
}

// park stores an event that must wait. Only a missing predecessor is waited for with a limit. One that goes on waiting as before
// leaves no trace of the try.
func (s *Service) park(ctx context.Context, tx *store.Tx, d *delivery, msg *message.Message, code, awaits string) error {
	p := s.parkedForm(d)
	if d.parked == nil {
		s.asItCame(&p, msg)
	}
	p.State, p.Code, p.Awaits = store.Waiting, code, awaits
	if code == store.WaitFollows {
		due := tx.Now().Add(s.settings.FollowsTimeout)
		if d.parked != nil && d.parked.Code == code && d.parked.Due != nil {
			due = *d.parked.Due
		}
		p.Due = &due
	}
	if d.parked != nil && p.Same(*d.parked) && p.Awaits == d.parked.Awaits {
		return nil
	}
	d.outcome, d.reason = outcomeWaiting, code
	return s.write(ctx, tx, d, p)
}

// write stores a parked event and the state of its inbox row.
func (s *Service) write(ctx context.Context, tx *store.Tx, d *delivery, p store.Parked) error {
	if !p.Refused {
		if err := tx.Settle(ctx, p.EventID, p.State, p.Attempts, p.Code); err != nil {
			return err
		}
	}
	tx.OnCommit(s.wakeTimer)
	if d.parked != nil {
		return tx.Repark(ctx, p)
	}
	return tx.Park(ctx, p)
}

func (s *Service) report(ctx context.Context, d *delivery) {
	switch d.outcome {
	case "":
		return
	case outcomeApplied:
		s.metricsOf(d.route).applied.Inc()
	default:
		s.metrics.handled.WithLabelValues(s.Name(), d.event.Envelope.EventType, d.outcome).Inc()
	}
	switch d.outcome {
	case outcomeIgnored:
		s.log.InfoContext(ctx, "event ignored", slog.String("reason", d.reason))
	case outcomeWaiting:
		s.log.InfoContext(ctx, "event waits", slog.String("reason", d.reason))
	}
}
