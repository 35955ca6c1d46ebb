package router_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/internal/badmessages"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// heard is a consumer of every event, whose handlers do nothing but count.
func heard(t *testing.T, handled *int, log *slog.Logger) (*router.Service, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	st, err := store.Open(t.Context(), store.Options{Service: "test", Dir: t.TempDir(), Catalogue: events.Platform(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	s, err := router.NewService(t.Context(), router.Assemble("test", nil, count[events.OrderCreated](handled), count[events.InventoryUpdated](handled), count[events.ProductCreated](handled)),
		st, router.Options{Logger: log, Metrics: router.NewMetrics(registry), Settings: router.Settings{ImmediateRetries: 3, DelayedRetries: []time.Duration{time.Hour}}})
	require.NoError(t, err)
	return s, registry
}

func count[P events.Payload](handled *int) router.Route {
	return router.On(func(context.Context, *store.Tx, events.Event[P]) error {
		*handled++
		return nil
	})
}

// TestEveryBadMessageIsADeadLetterThatHoldsNothing: at the first attempt, with its code and its own bytes; the next message
// of the topic goes on.
func TestEveryBadMessageIsADeadLetterThatHoldsNothing(t *testing.T) {
	handled := 0
	s, _ := heard(t, &handled, slog.New(slog.DiscardHandler))
	list, err := badmessages.All("../events/testdata")
	require.NoError(t, err)
	topics := map[string]string{}
	for _, d := range events.Platform().All() {
		topics[d.Contract.Type] = d.Contract.Topic()
	}
	for n, m := range list {
		require.NoError(t, s.Deliver(t.Context(), topics[m.Type], message.NewMessage(uuid.NewString(), m.Raw)), m.Name)
		require.NoError(t, s.Deliver(t.Context(), topics["order.created"], orderMessage(t, "order_987654321", time.Now())), "the next one of its key")
		require.Equal(t, n+1, handled, m.Name)
		require.Contains(t, router.LetterCodes(), m.Code, "one can filter by it")
		var p store.Parked
		require.NoError(t, s.Store().View(t.Context(), func(ctx context.Context, r store.Reader) error {
			var id int64
			require.NoError(t, r.QueryRow(ctx, "SELECT MAX(id) FROM parked").Scan(&id))
			p, _, err = store.ParkedRow(ctx, r, id)
			return err
		}))
		require.Equal(t, []any{m.Code, store.Dead, true, false, 0}, []any{p.Code, p.State, p.Refused, p.Held, p.Attempts}, m.Name)
		require.True(t, bytes.Equal(m.Raw, p.Payload), m.Name)
		require.Contains(t, p.Detail, m.Path, m.Name)
	}
	var rows int
	require.NoError(t, s.Store().View(t.Context(), func(ctx context.Context, r store.Reader) error {
		return r.QueryRow(ctx, "SELECT COUNT(*) FROM parked").Scan(&rows)
	}))
	require.Equal(t, len(list), rows)
}

// TestABadMessageThatComesAgainIsOneDeadLetter: a transport may deliver twice what it was not seen to acknowledge.
func TestABadMessageThatComesAgainIsOneDeadLetter(t *testing.T) {
	handled := 0
	s, _ := heard(t, &handled, slog.New(slog.DiscardHandler))
	deliver := func(raw, partition, offset string) (rows int) {
		msg := message.NewMessage(uuid.NewString(), []byte(raw))
		msg.Metadata.Set(router.MetaPartition, partition)
		msg.Metadata.Set(router.MetaOffset, offset)
		require.NoError(t, s.Deliver(t.Context(), created("").Contract().Topic(), msg))
		require.NoError(t, s.Store().View(t.Context(), func(ctx context.Context, r store.Reader) error {
			return r.QueryRow(ctx, "SELECT COUNT(*) FROM parked").Scan(&rows)
		}))
		return rows
	}
	named := `{"event_type":"order.created","event_id":"` + uuid.NewString() + `"}`
	for n, raw := range []string{"{", named} {
		require.Equal(t, 3*n+1, deliver(raw, "3", "1"), raw)
		require.Equal(t, 3*n+1, deliver(raw, "3", "1"), "%s again", raw)
		require.Equal(t, 3*n+2, deliver(raw, "3", "2"), "%s from another place", raw)
		require.Equal(t, 3*n+3, deliver(raw+" ", "3", "2"), "%s with other bytes", raw)
		require.Equal(t, 3*n+3, deliver(raw, "3", "1"), "%s once more", raw)
	}
	require.Zero(t, handled)
}

func TestAClockThatIsFarOffIsAcceptedAndCounted(t *testing.T) {
	handled := 0
	s, registry := heard(t, &handled, slog.New(slog.DiscardHandler))
	topic := created("").Contract().Topic()
	for _, at := range []time.Time{time.Now(), time.Now().Add(25 * time.Hour), time.Now().Add(-25 * time.Hour)} {
		require.NoError(t, s.Deliver(t.Context(), topic, orderMessage(t, "o", at)))
	}
	require.Equal(t, 3, handled)
	families, err := registry.Gather()
	require.NoError(t, err)
	skewed := 0.0
	for _, f := range families {
		if f.GetName() == "viscount_events_skewed_total" {
			skewed = f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	require.EqualValues(t, 2, skewed)
}

// TestForeignHeadersStayOneLogLine: nobody writes a second line, or to the terminal, through a message.
func TestForeignHeadersStayOneLogLine(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			handled := 0
			var logs bytes.Buffer
			s, _ := heard(t, &handled, app.NewLogger(config.Log{Level: "info", Format: format}, &logs))
			evil := "a\r\nlevel=INFO msg=\"all is well\"\x1b[2J\u2028\u0085\u009b2J\u202e\x00\xff"
			msg := message.NewMessage("m", []byte(`{"event_type":"x`+"\u2028\u009b\u202e"+`\u001b[2J\nfake"}`))
			for _, name := range []string{router.MetaEventID, router.MetaEventType, router.MetaCorrelationID, router.MetaCausationID, router.MetaTraceParent, router.MetaOffset, "x\nevil"} {
				msg.Metadata.Set(name, evil)
			}
			require.NoError(t, s.Deliver(t.Context(), created("").Contract().Topic(), msg))
			line, more, _ := strings.Cut(logs.String(), "\n")
			require.NotEmpty(t, line)
			require.Empty(t, more)
			for _, r := range line {
				require.True(t, unicode.IsPrint(r), "%q in %q", r, line)
			}
			var detail string
			require.NoError(t, s.Store().View(t.Context(), func(ctx context.Context, r store.Reader) error {
				return r.QueryRow(ctx, "SELECT detail FROM parked").Scan(&detail)
			}))
			require.NotContains(t, detail, "\u202e", "what is stored is shown later")
		})
	}
}

// TestEmittingABadEventNamesTheFieldAndStoresNothing: the transaction's other effects go with it.
func TestEmittingABadEventNamesTheFieldAndStoresNothing(t *testing.T) {
	b := newBench(t, router.Settings{})
	long := strings.Repeat("x", 129)
	for path, p := range map[string]events.Payload{
		"/data/order_id":              change(func(o *events.OrderCreated) { o.OrderID = "" }),
		"/data/customer_id":           change(func(o *events.OrderCreated) { o.CustomerID = long }),
		"/data/currency":              change(func(o *events.OrderCreated) { o.Currency = "dollars" }),
		"/data/total_amount":          change(func(o *events.OrderCreated) { o.TotalAmount = -1 }),
		"/data/items":                 change(func(o *events.OrderCreated) { o.Items = nil }),
		"/data/items/0/quantity":      change(func(o *events.OrderCreated) { o.Items[0].Quantity = 0 }),
		"/data/shipping_address/city": change(func(o *events.OrderCreated) { o.ShippingAddress.City = "" }),
		"/data/update_type":           events.InventoryUpdated{ProductID: "p", UpdateType: "teleport"},
	} {
		err := b.Try(func(ctx context.Context, tx *store.Tx) error {
			if err := b.write(ctx, tx, "beside "+path); err != nil {
				return err
			}
			return tx.Emit(p)
		})
		var invalid *events.Invalid
		require.ErrorAs(t, err, &invalid, path)
		require.True(t, slices.ContainsFunc(invalid.Problems, func(one events.Problem) bool { return one.Path == path }), "%s: %s", path, err)
	}
	require.Empty(t, b.handled())
	b.View(func(ctx context.Context, r store.Reader) error {
		rows, err := store.Recorded(ctx, r, 0, 10)
		require.Empty(t, rows)
		return err
	})
}

func change(edit func(o *events.OrderCreated)) events.OrderCreated {
	o := created("o1")
	edit(&o)
	return o
}

// An event from before what the inbox remembers may have been applied already: a dead letter of its own code that holds nothing. Seen red without
// the horizon.
func TestAnEventFromBeforeTheInboxIsADeadLetterThatHoldsNothing(t *testing.T) {
	b := newBench(t, router.Settings{})
	b.Receive(created("o1"))
	forget := func(keep time.Duration) {
		_, err := b.Service().Store().Prune(t.Context(), store.Retention{Inbox: keep})
		require.NoError(t, err)
	}
	forget(-time.Hour) // all that comes now is older
	old := b.Receive(completed("o1"))
	letters := b.deadLetters(store.LetterFilter{})
	require.Len(t, letters, 1)
	require.Equal(t, []any{old, router.CodeBeyondInbox, false}, []any{letters[0].EventID, letters[0].Code, letters[0].Held})
	require.Equal(t, []string{"created o1"}, b.handled())
	require.Zero(t, b.count(store.Waiting), "and nothing waits for it")
}
