package store

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// Origin is what a piece of work was caused by: it fills the envelope and the metadata of every event emitted in it.
type Origin struct {
	CorrelationID string
	CausationID   string // event_id of the event in hand; empty for a request or a timer
	EventType     string // of the event in hand, for logs
	Key           string // ordering key of the event in hand, for logs
	RequestID     string // X-Correlation-ID of a request about an existing entity
}

type originKey struct{}

// WithOrigin returns a context whose transactions emit on behalf of o.
func WithOrigin(ctx context.Context, o Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

// OriginFrom gives the origin that the context carries, or the zero Origin.
func OriginFrom(ctx context.Context) Origin {
	o, _ := ctx.Value(originKey{}).(Origin)
	return o
}

// traceOf reads the context's span as W3C trace context, the form in which it is stored and sent.
func traceOf(ctx context.Context) (parent, state string) {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"], carrier["tracestate"]
}

// WithTrace returns a context that continues the trace stored as W3C trace context.
func WithTrace(ctx context.Context, parent, state string) context.Context {
	if parent == "" {
		return ctx
	}
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": parent, "tracestate": state})
}
