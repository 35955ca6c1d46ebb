package router

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/internal/lazycontext"
	"github.com/first-viscount/viscount/store"
)

// errDraining refuses messages that come while the service stops; the transport brings them again after the next start.
var errDraining = errors.New("router: stopping")

func (s *Service) drain(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		runtime.Gosched() // lets the engine and the reader begin others first: behind this one's work a processor may have nothing to do
		growStack()
		s.inFlight.Add(1)
		defer s.inFlight.Add(-1)
		if s.draining.Load() {
			return nil, errDraining
		}
		_, brought := msg.Context().(*deliveryContext) // by a parked event
		arrived := !brought
		if arrived {
			topic := message.SubscribeTopicFromCtx(msg.Context())
			msg.SetContext(withDelivery(msg.Context(), s.newDelivery(topic, msg, nil)))
		}
		out, err := next(msg)
		if err == nil && arrived && s.failpointAt != nil {
			err = s.aroundAck(msg)
		}
		if err != nil {
			s.logRefusal(msg.Context(), err)
		}
		return out, err
	}
}

// growStack has the stack of a message's new goroutine grow at once, while there is next to nothing on it to copy: decoding
// needs the room in any case, and growing there costs a sixth of all that the chain does.
//
//go:noinline
func growStack() {
	var room [4096]byte
	runtime.KeepAlive(&room)
}

// aroundAck passes the failpoints before and after the acknowledgement, which the router gives when the chain returns.
func (s *Service) aroundAck(msg *message.Message) error {
	if err := s.failpoint("ack.before"); err != nil {
		return err
	}
	go func() {
		select {
		case <-msg.Acked():
			_ = s.failpoint("ack.after") // too late for an error: only kill means something here
		case <-msg.Context().Done():
		}
	}()
	return nil
}

const refusalLogEvery = time.Second

// logRefusal tells why messages are refused, once in a while: the transport brings them again and again.
func (s *Service) logRefusal(ctx context.Context, err error) {
	now, last := time.Now().UnixNano(), s.refusalLogged.Load()
	if now-last >= int64(refusalLogEvery) && s.refusalLogged.CompareAndSwap(last, now) {
		s.log.WarnContext(ctx, "messages are refused and come again", "error", err)
	}
}

// recoverer turns a panic into an error with the stack. The Router would refuse the message too, but at once and for ever.
func recoverer(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) (out []*message.Message, err error) {
		defer func() {
			if v := recover(); v != nil {
				err = &store.PanicError{Value: v, Stack: debug.Stack()}
			}
		}()
		return next(msg)
	}
}

func (s *Service) gate(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		d := deliveryOf(msg)
		d.paused, d.broken = s.Paused(), s.circuit.open.Load() && !d.probe
		if d.broken && d.parked != nil {
			return nil, errOpen
		}
		return next(msg)
	}
}

func (s *Service) decode(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		d := deliveryOf(msg)
		event, err := s.store.Catalogue().Decode(msg.Payload)
		if err != nil {
			return nil, invalidMessage(err)
		}
		if there, _ := s.store.Catalogue().ByTopic(d.topic); there != event.Definition || d.route == nil {
			return nil, &refusal{code: CodeTopicMismatch, detail: "a " + event.Envelope.EventType + " belongs on " + event.Definition.Contract.Topic() + ", not on " + d.topic}
		}
		d.event = event
		if age := s.store.Now().Sub(event.Envelope.Timestamp); age.Abs() > events.Day && d.parked == nil {
			s.metrics.skewed.WithLabelValues(s.Name(), event.Envelope.EventType).Inc()
		}
		if d.sequence == 0 {
			e := event.Envelope
			d.foreign = &store.Foreign{EventType: e.EventType, Key: event.Key, CorrelationID: e.CorrelationID, CausationID: d.causation, Source: e.SourceService, OccurredAt: e.Timestamp}
		}
		return next(msg)
	}
}

// invalidMessage tells a message that breaks its contract from a handler that would emit such a one.
func invalidMessage(err error) error {
	var invalid *events.Invalid
	if errors.As(err, &invalid) && len(invalid.Problems) > 0 {
		return &refusal{code: string(invalid.Problems[0].Code), detail: invalid.Error()}
	}
	return err
}

func (s *Service) correlate(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		d := deliveryOf(msg)
		msg.SetContext(store.WithOrigin(msg.Context(), store.Origin{
			CorrelationID: d.event.Envelope.CorrelationID, CausationID: d.event.Envelope.EventID.String(),
			EventType: d.event.Envelope.EventType, Key: d.event.Key,
		}))
		return next(msg)
	}
}

// trace continues the trace that the event carries, across the outbox and the transport (OpenTelemetry messaging
// conventions: a "process" span of kind consumer).
func (s *Service) trace(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		d := deliveryOf(msg)
		ctx := store.WithTrace(msg.Context(), msg.Metadata.Get(MetaTraceParent), msg.Metadata.Get(MetaTraceState))
		if !s.traced { // then the trace of others is handed on all the same
			msg.SetContext(ctx)
			return next(msg)
		}
		ctx, span := s.tracer.Start(ctx, "process "+d.event.Envelope.EventType, trace.WithSpanKind(trace.SpanKindConsumer))
		defer span.End()
		if span.IsRecording() {
			span.SetAttributes(
				attribute.String("messaging.operation.type", "process"), attribute.String("messaging.destination.name", d.topic),
				attribute.String("messaging.message.id", d.event.Envelope.EventID.String()), attribute.String("messaging.consumer.group.name", s.Name()),
				attribute.String("messaging.message.conversation_id", d.event.Envelope.CorrelationID),
			)
		}
		msg.SetContext(ctx)
		out, err := next(msg)
		span.SetAttributes(attribute.String("viscount.outcome", d.outcome))
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		return out, err
	}
}

func (s *Service) measure(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		d := deliveryOf(msg)
		began := time.Now()
		out, err := next(msg)
		ended := time.Now()
		m := s.metricsOf(d.route)
		m.handleSeconds.Observe(ended.Sub(began).Seconds())
		if d.outcome == outcomeApplied {
			m.latency.Observe(ended.Sub(d.event.Envelope.Timestamp).Seconds())
		}
		return out, err
	}
}

const (
	retryFirst = 20 * time.Millisecond
	retryMost  = time.Second
)

// soon is the pause before the nth immediate retry, from 0, of an event or a job: full jitter, doubling.
func soon(n int) time.Duration { return rand.N(min(retryFirst<<min(n, 16), retryMost)) }

// spread is a delayed retry's delay, a little longer by chance, so that what failed together does not come back together.
func spread(delay time.Duration) time.Duration { return delay + rand.N(delay/10+1) }

// retry makes the immediate attempts. What no retry can mend, and what is no fault of the event, goes
// out at once.
func (s *Service) retry(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		d := deliveryOf(msg)
		base := msg.Context()
		for try := 0; ; try++ {
			out, err := s.carefully(msg, next)
			msg.SetContext(base)                 // the attempt's own context is dead
			if err != nil && base.Err() != nil { // the stop ended it: it has not failed, whatever it says
				return out, errors.Join(base.Err(), err)
			}
			if err == nil || !counts(err) {
				return out, err
			}
			d.attempts++
			if try == s.settings.ImmediateRetries || d.probe || !retryable(err) {
				return out, err
			}
			s.metrics.retries.WithLabelValues(s.Name()).Inc()
			if !sleep(base, soon(try)) {
				return out, base.Err()
			}
		}
	}
}

func (s *Service) timeout(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		ctx := lazycontext.WithTimeout(msg.Context(), s.settings.AttemptTimeout)
		defer ctx.Cancel()
		msg.SetContext(ctx)
		return next(msg)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
