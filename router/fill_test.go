package router_test

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// pages are recorded events that come one by one; the one numbered broken cannot be read.
type pages struct {
	events []router.Recorded
	broken int
	read   int
}

func (p *pages) Count(context.Context, []string) (int64, error) { return int64(len(p.events)), nil }

func (p *pages) Read(_ context.Context, _ []string, after string) ([]router.Recorded, string, bool, error) {
	p.read++
	n, _ := strconv.Atoi(after)
	switch {
	case n == p.broken:
		return nil, "", false, errors.New("broken")
	case n == len(p.events):
		return nil, after, false, nil
	}
	return p.events[n : n+1], strconv.Itoa(n + 1), true, nil
}

func recordedCompletion(t *testing.T, order string) router.Recorded {
	t.Helper()
	p, id := completed(order), uuid.Must(uuid.NewV7())
	raw, err := events.Encode(events.Envelope{
		EventID: id, CorrelationID: "c", Timestamp: time.Now().UTC(), SourceService: p.Contract().Publisher, EventVersion: "1.0", EventType: p.Contract().Type,
	}, p)
	require.NoError(t, err)
	return router.Recorded{EventID: id, Topic: p.Contract().Topic(), Key: order, Sequence: 1, Payload: raw}
}

// completions is a new consumer of orders that are created and completed.
func completions(t *testing.T, handled *int) *router.Service {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Service: "test", Dir: t.TempDir(), Catalogue: events.Platform(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	s, err := router.NewService(t.Context(), router.Assemble("test", nil, count[events.OrderCreated](new(int)), router.On(func(_ context.Context, tx *store.Tx, _ events.Event[events.OrderCompleted]) error {
		tx.OnCommit(func() { *handled++ })
		return nil
	})), st, router.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return s
}

// TestANewConsumerIsFilledOnce: a missing predecessor is not waited for, what was interrupted goes on, and a consumer that has
// handled anything is not filled.
func TestANewConsumerIsFilledOnce(t *testing.T) {
	handled := 0
	s := completions(t, &handled)
	recorded := &pages{events: []router.Recorded{recordedCompletion(t, "order_1"), recordedCompletion(t, "order_2"), recordedCompletion(t, "order_3")}, broken: 2}
	require.ErrorContains(t, s.Fill(t.Context(), recorded), "broken")
	require.Equal(t, 2, handled, "without their order.created")
	recorded.broken = -1
	require.NoError(t, s.Fill(t.Context(), recorded))
	require.Equal(t, 3, handled, "each once")
	require.Zero(t, s.Store().ParkedRows())
	read := recorded.read
	require.NoError(t, s.Fill(t.Context(), recorded))
	require.Equal(t, read, recorded.read, "it is filled")

	later := recordedCompletion(t, "order_4")
	require.NoError(t, s.Deliver(t.Context(), later.Topic, message.NewMessage("later", later.Payload)))
	require.Equal(t, 3, handled, "from then on predecessors are waited for")

	require.EqualValues(t, 1, s.Store().ParkedRows())

	old := completions(t, &handled)
	require.NoError(t, old.Deliver(t.Context(), recorded.events[0].Topic, message.NewMessage("first", recorded.events[0].Payload)))
	require.NoError(t, old.Fill(t.Context(), recorded))
	require.Equal(t, read, recorded.read, "it is not new")
}
