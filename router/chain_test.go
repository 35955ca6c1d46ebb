package router

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// TestTheChainIsTheDesigns guards the order of the chain: outermost first.
func TestTheChainIsTheDesigns(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.Open(t.Context(), store.Options{Service: "test", Dir: t.TempDir(), Catalogue: events.Platform(), Logger: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	s, err := NewService(t.Context(), Consumer{Name: "test"}, st, Options{Logger: log})
	require.NoError(t, err)
	var names []string
	for _, step := range s.chain() {
		names = append(names, step.name)
	}
	require.Equal(t, []string{
		"drain", "recoverer", "poison", "gate", "decode", "correlation", "tracing", "metrics", "retry", "timeout", "recoverer", "transaction",
	}, names, "then the handler")
}

func TestConsumersThatContradictThemselvesAreRefused(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.Open(t.Context(), store.Options{Service: "test", Dir: t.TempDir(), Catalogue: events.Platform(), Logger: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	route := On(func(context.Context, *store.Tx, events.Event[events.ProductDeleted]) error { return nil })
	job := Do("tidy", func(context.Context, *store.Tx, struct{}) error { return nil })
	for name, c := range map[string]Consumer{
		"subscribes to product.deleted twice": {Name: "test", Routes: []Route{route, route}},
		`two jobs named "tidy"`:               {Name: "test", Jobs: []Job{job, job}},
	} {
		_, err := NewService(t.Context(), c, st, Options{Logger: log})
		require.ErrorContains(t, err, name)
	}
}

func TestABenchmarkRunsTheChainWithoutTheTransaction(t *testing.T) {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.Open(t.Context(), store.Options{Service: "test", Dir: t.TempDir(), Catalogue: events.Platform(), Logger: log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	var handled []string
	route := On(func(_ context.Context, tx *store.Tx, e events.Event[events.ProductDeleted]) error {
		require.Nil(t, tx)
		handled = append(handled, e.Data.ProductID)
		return nil
	})
	s, err := NewService(t.Context(), Consumer{Name: "test", Routes: []Route{route}}, st, Options{Logger: log, Untransacted: true})
	require.NoError(t, err)
	p := events.ProductDeleted{ProductID: "p1"}
	raw, err := events.Encode(events.Envelope{EventID: uuid.New(), CorrelationID: "c", Timestamp: time.Now(), SourceService: p.Contract().Publisher, EventVersion: "1.0", EventType: p.Contract().Type}, p)
	require.NoError(t, err)
	before, _ := st.Commits()
	for range 2 { // nothing is recorded, not even that it came before
		require.NoError(t, s.Deliver(t.Context(), p.Contract().Topic(), message.NewMessage("m", raw)))
	}
	require.Equal(t, []string{"p1", "p1"}, handled)
	after, _ := st.Commits()
	require.Equal(t, before, after)
}
