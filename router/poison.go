package router

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// poison stores what could not be handled: parked until its next attempt, or as a dead letter. What is no fault of the
// message (shutdown, a failing database) refuses it instead, and the transport brings it again with a pause. Nothing is
// acknowledged before its outcome is durable.
func (s *Service) poison(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		d := deliveryOf(msg)
		before := d.attempts
		_, err := next(msg)
		if err == nil {
			return nil, nil
		}
		if comesAgain(err) {
			return nil, err
		}
		v := judge(err)
		if d.event != nil && !v.refused && s.blames(msg.Context(), d, v) {
			d.attempts = before
			return nil, s.spare(msg, d)
		}
		if err := s.keep(msg, d, v, err); err != nil {
			return nil, err
		}
		s.reportFailure(context.WithoutCancel(msg.Context()), d, v, err)
		return nil, nil
	}
}

// spare lets an event wait that failed for the open circuit's cause; a parked one keeps its place.
func (s *Service) spare(msg *message.Message, d *delivery) error {
	if d.parked != nil {
		return errOpen
	}
	ctx := context.WithoutCancel(msg.Context())
	err := s.inTransaction(ctx, d, func(ctx context.Context, tx *store.Tx, try *delivery) error {
		proceed, err := s.enter(ctx, tx, try)
		if !proceed || err != nil {
			return err
		}
		return s.park(ctx, tx, try, msg, store.WaitCircuit, "")
	})
	if err == nil {
		s.report(ctx, d)
	}
	return err
}

const (
	storingFirst = 500 * time.Millisecond
	storingMost  = 5 * time.Second
)

// keep writes how a failed event stands, again and again while the database does not take it: the handler is not run again
// for that. When the service stops it gives up, and the transport brings the message after the next start.
func (s *Service) keep(msg *message.Message, d *delivery, v verdict, cause error) error {
	ctx := context.WithoutCancel(msg.Context())
	for pause := storingFirst; ; pause = min(2*pause, storingMost) {
		err := s.failpoint("deadletter.before")
		if err == nil {
			err = s.store.DoKey(ctx, d.key(), func(ctx context.Context, tx *store.Tx) error { return s.fail(ctx, tx, d, msg, v, cause) })
		}
		if err == nil {
			return s.failpoint("deadletter.after")
		}
		s.log.ErrorContext(ctx, "a failed event could not be stored; trying again", "error", err, "code", v.code, "topic", d.topic)
		err = s.store.Failed("dead_letter", err)
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-msg.Context().Done():
			timer.Stop()
			return err
		case <-s.stopping:
			timer.Stop()
			return err
		}
	}
}

// fail writes how a failed event stands now, unless that is written already.
func (s *Service) fail(ctx context.Context, tx *store.Tx, d *delivery, msg *message.Message, v verdict, cause error) error {
	p := s.failedForm(d, msg, v, cause, tx.Now())
	d.outcome = outcomeDuplicate
	if first, err := s.firstToFail(ctx, tx, d, v, p); !first || err != nil {
		return err
	}
	d.outcome = p.State.String()
	if v.refused {
		tx.Count("invalid", 1)
	}
	if d.parked != nil && !p.Held { // what waited behind it goes on
		tx.OnCommit(func() { s.wakeKey(p.Key) })
	}
	if v.code == CodeCrashLoop {
		if err := tx.Acquit(ctx, subjectOf(d.event)); err != nil {
			return err
		}
	}
	if p.State == store.Dead {
		if err := tx.Announce(p); err != nil {
			return err
		}
	}
	return s.write(ctx, tx, d, p)
}

// firstToFail takes the failed event's place. It answers false when that is taken: the event has ended or was stored meanwhile, or
// the message was turned away before.
func (s *Service) firstToFail(ctx context.Context, tx *store.Tx, d *delivery, v verdict, p store.Parked) (bool, error) {
	switch {
	case d.parked != nil:
		current, found, err := store.ParkedRow(ctx, tx, d.parked.ID)
		return found && current.Same(*d.parked), err
	case v.refused:
		known, err := store.RefusedBefore(ctx, tx, p)
		return !known, err
	}
	_, fresh, err := tx.Arrive(ctx, store.Arrival{EventID: p.EventID, Digest: d.event.Digest(), Foreign: d.foreign})
	return fresh, err
}

// nextAttempt plans a delayed retry; false when they are spent or cannot help.
func (s *Service) nextAttempt(d *delivery, v verdict, cause error, now time.Time) (time.Time, bool) {
	if v.final {
		return time.Time{}, false
	}
	var later *store.RetryError
	delays := s.settings.DelayedRetries
	n := d.delayed(s.settings.ImmediateRetries)
	if n >= len(delays) {
		if errors.As(cause, &later) && n < maxRetryAfter {
			return now.Add(later.After), true
		}
		return time.Time{}, false
	}
	if errors.As(cause, &later) {
		return now.Add(later.After), true
	}
	return now.Add(spread(delays[n])), true
}

// maxRetryAfter bounds how often a handler may ask for another attempt.
const maxRetryAfter = 100

// delayed is how many delayed retries the event has had: each delivery makes up to 1 + immediate attempts.
func (d *delivery) delayed(immediate int) int { return (d.attempts - 1) / (1 + immediate) }

// parkedForm is the row of an event that was decoded.
func (s *Service) parkedForm(d *delivery) store.Parked {
	e := d.event.Envelope
	p := store.Parked{
		EventID: e.EventID, Topic: d.topic, EventType: e.EventType, Key: d.event.Key, CorrelationID: e.CorrelationID, CausationID: d.causation,
		OccurredAt: e.Timestamp, Attempts: d.attempts,
	}
	if d.parked != nil {
		was := d.parked
		p.ID, p.Metadata, p.Payload, p.ParkedAt, p.FailedFirst, p.FailedLast = was.ID, was.Metadata, was.Payload, was.ParkedAt, was.FailedFirst, was.FailedLast
		p.Partition, p.Offset = was.Partition, was.Offset
	}
	return p
}

// failedForm is the row of a message that may not even be readable: the original bytes, what is known of it, and how it failed.
func (s *Service) failedForm(d *delivery, msg *message.Message, v verdict, cause error, now time.Time) store.Parked {
	var p store.Parked
	switch {
	case d.event != nil:
		p = s.parkedForm(d)
	case d.parked != nil:
		p = *d.parked
	default:
		p = unreadable(d, msg, now)
	}
	if d.parked == nil {
		s.asItCame(&p, msg)
	}
	p.State, p.Code, p.Detail, p.Attempts, p.Due = store.Dead, v.code, v.detail, d.attempts, nil
	if due, again := s.nextAttempt(d, v, cause, now); again {
		p.State, p.Due = store.Retrying, &due
	}
	p.Refused = v.refused && d.parked == nil // a parked event stands in the inbox
	p.Held = !v.refused && s.policy == Hold
	p.Fingerprint = fingerprint(s.Name(), p.EventType, v.code, v.detail)
	if p.FailedLast = &now; p.FailedFirst == nil {
		p.FailedFirst = &now
	}
	return p
}

// asItCame keeps the message's own bytes, and where it stood.
func (s *Service) asItCame(p *store.Parked, msg *message.Message) {
	p.Payload, p.Metadata = msg.Payload, portableMetadata(msg.Metadata)
	p.Partition, p.Offset = storable(msg.Metadata.Get(MetaPartition)), storable(msg.Metadata.Get(MetaOffset))
}

// unreadable is the row of a message that did not decode: what its body tells, else its metadata.
func unreadable(d *delivery, msg *message.Message, now time.Time) store.Parked {
	e := events.Peek(msg.Payload)
	p := store.Parked{
		EventID: e.EventID, Topic: d.topic, EventType: storable(cmp.Or(e.EventType, msg.Metadata.Get(MetaEventType))), OccurredAt: e.Timestamp,
		CorrelationID: storable(cmp.Or(e.CorrelationID, msg.Metadata.Get(MetaCorrelationID))), CausationID: d.causation,
	}
	if p.OccurredAt.IsZero() {
		p.OccurredAt = now
	}
	if id, err := uuid.Parse(msg.Metadata.Get(MetaEventID)); err == nil && p.EventID == uuid.Nil {
		p.EventID = id
	}
	return p
}

// portableMetadata leaves out what the transport put in for itself.
func portableMetadata(m message.Metadata) map[string]string {
	kept := make(map[string]string, len(m))
	for name, value := range m {
		if !strings.HasPrefix(name, "viscount_") && !strings.HasPrefix(name, "_watermill") {
			kept[storable(name)] = storable(value)
		}
	}
	return kept
}

// storable is text that every database takes: valid UTF-8 without NUL. What a foreign message says of itself may be neither.
func storable(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

func (s *Service) reportFailure(ctx context.Context, d *delivery, v verdict, err error) {
	eventType := ""
	if d.route != nil {
		eventType = d.route.Contract.Type
	}
	s.metrics.handled.WithLabelValues(s.Name(), eventType, d.outcome).Inc()
	if v.refused {
		s.metrics.invalid.WithLabelValues(s.Name(), v.code).Inc()
	}
	attrs := []any{"code", v.code, "detail", v.detail, "topic", d.topic, "attempts", d.attempts, "state", d.outcome}
	var panicked *store.PanicError
	if errors.As(err, &panicked) {
		attrs = append(attrs, slog.String("stack", string(panicked.Stack)))
	}
	s.log.ErrorContext(ctx, "event failed", attrs...)
}
