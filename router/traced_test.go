package router_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// A process that exports no spans hands the trace of others on: what its handlers emit belongs to it.
func TestATraceGoesThroughAProcessThatExportsNone(t *testing.T) {
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	b := newBench(t, router.Settings{})
	var got trace.SpanContext
	b.created = func(ctx context.Context, _ *store.Tx) error {
		got = trace.SpanContextFromContext(ctx)
		return nil
	}
	msg := orderMessage(t, "o1", time.Now())
	msg.Metadata.Set(router.MetaTraceParent, parent)
	require.NoError(t, b.Service().Deliver(t.Context(), created("").Contract().Topic(), msg))
	require.Equal(t, 1, b.calls)
	require.Equal(t, "4bf92f3577b34da6a3ce929d0e0e4736", got.TraceID().String())
	require.True(t, got.IsRemote(), "it has no span of its own")
}
