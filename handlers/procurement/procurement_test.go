package procurement_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/procurement"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

// stock is an inventory that raises its stock once per key.
type stock struct {
	taken   map[string]procurement.Delivery
	calls   int
	refused string
	lose    bool // the next answer is lost on its way
}

func (s *stock) Restock(_ context.Context, d procurement.Delivery) (procurement.Answer, error) {
	s.calls++
	if s.refused != "" {
		return procurement.Answer{Refused: s.refused}, nil
	}
	s.taken[d.Key] = d
	if s.lose {
		s.lose = false
		return procurement.Answer{}, errors.New("connection reset")
	}
	return procurement.Answer{}, nil
}

type fixture struct {
	*routertest.Kit
	t         *testing.T
	buy       *procurement.Service
	inventory *stock
}

func newKit(t *testing.T) fixture {
	inventory := &stock{taken: map[string]procurement.Delivery{}}
	buy := &procurement.Service{Inventory: inventory, DefaultLocation: "warehouse_main", OrderUpTo: 3}
	kit := routertest.NewWith(t, events.Platform(), router.Settings{ImmediateRetries: 1}, procurement.Migrations,
		router.On(buy.Propose), router.Call(procurement.RestockJob, buy.AskRestock, buy.RecordRestock))
	return fixture{Kit: kit, t: t, buy: buy, inventory: inventory}
}

func alert(product string, quantity int64, level string) events.InventoryLowStockAlert {
	return events.InventoryLowStockAlert{ProductID: product, CurrentQuantity: quantity, Threshold: 10, AlertLevel: level}
}

func (f fixture) list(filter procurement.Filter) (all []procurement.PurchaseOrder) {
	filter.Limit = 100
	f.View(func(ctx context.Context, r store.Reader) (err error) {
		all, err = f.buy.List(ctx, r, filter)
		return err
	})
	return all
}

// only is the one purchase order that there is.
func (f fixture) only() procurement.PurchaseOrder {
	f.t.Helper()
	all := f.list(procurement.Filter{})
	require.Len(f.t, all, 1)
	return all[0]
}

func (f fixture) approve(id string, quantity int64) {
	f.Do(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.buy.Approve(ctx, tx, id, quantity)
		return err
	})
}

func (f fixture) receive(id string, quantity int64) {
	f.Do(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.buy.Receive(ctx, tx, id, quantity)
		return err
	})
}

func (f fixture) refuses(code string, command func(ctx context.Context, tx *store.Tx) (procurement.PurchaseOrder, error)) {
	f.t.Helper()
	var refused *store.Refused
	require.ErrorAs(f.t, f.Try(func(ctx context.Context, tx *store.Tx) error {
		_, err := command(ctx, tx)
		return err
	}), &refused)
	require.Equal(f.t, code, refused.Code)
}

func TestLowStockIsProposedOnce(t *testing.T) {
	f := newKit(t)
	f.Receive(alert("prod_1", 8, events.AlertWarning))
	p := f.only()
	require.Equal(t, procurement.Proposed, p.Status)
	require.Equal(t, int64(22), p.Quantity, "filled up to three times the threshold")
	require.Equal(t, "warehouse_main", p.LocationID)
	require.Equal(t, "about_prod_1", p.CorrelationID)

	f.Receive(alert("prod_1", 4, events.AlertCritical))
	require.Equal(t, int64(26), f.only().Quantity, "the proposal grows with what has run out since")
	require.Equal(t, events.AlertCritical, f.only().AlertLevel)
	f.Receive(alert("prod_1", 9, events.AlertWarning))
	f.WantIgnored("a purchase order for as much is proposed already")

	f.Receive(events.InventoryLowStockAlert{ProductID: "prod_1", LocationID: "berlin", CurrentQuantity: 0, Threshold: 0, AlertLevel: events.AlertUrgent})
	elsewhere := f.list(procurement.Filter{LocationID: "berlin"})
	require.Len(t, elsewhere, 1)
	require.Equal(t, int64(1), elsewhere[0].Quantity, "one piece at least")
	f.WantIdempotent()
}

func TestReceivedGoodsRaiseTheStockOnce(t *testing.T) {
	f := newKit(t)
	f.Receive(alert("prod_1", 8, events.AlertWarning))
	id := f.only().PurchaseOrderID
	f.approve(id, 30)
	f.Receive(alert("prod_1", 0, events.AlertUrgent))
	f.WantIgnored("a purchase order for the product and location is approved")

	f.inventory.lose = true
	f.receive(id, 0)
	require.Equal(t, procurement.Receiving, f.only().Status, "inventory's answer was lost")
	f.Advance(time.Minute)
	require.Equal(t, procurement.Received, f.only().Status)
	require.Equal(t, 2, f.inventory.calls, "it was asked again, with the same key")
	require.Equal(t, map[string]procurement.Delivery{id + "/1": {
		PurchaseOrderID: id, ProductID: "prod_1", LocationID: "warehouse_main", Quantity: 30, Key: id + "/1", At: f.Now().Add(-time.Minute), CorrelationID: "about_prod_1",
	}}, f.inventory.taken)
	require.Equal(t, int64(30), f.only().Received)

	f.Receive(alert("prod_1", 8, events.AlertWarning))
	require.Len(t, f.list(procurement.Filter{Status: procurement.Proposed}), 1, "the next one may be proposed")
	f.WantIdempotent()
}

func TestARefusedDeliveryCanBeTriedAgain(t *testing.T) {
	f := newKit(t)
	f.Receive(alert("prod_1", 8, events.AlertWarning))
	id := f.only().PurchaseOrderID
	f.approve(id, 0)
	f.inventory.refused = "no product prod_1"
	f.receive(id, 5)
	p := f.only()
	require.Equal(t, procurement.Approved, p.Status)
	require.Equal(t, "inventory refused the delivery: no product prod_1", p.Note)
	require.Zero(t, p.Received)

	f.inventory.refused = ""
	f.receive(id, 6)
	require.Equal(t, procurement.Received, f.only().Status)
	require.Equal(t, int64(6), f.inventory.taken[id+"/2"].Quantity, "another delivery has another key")
	f.WantIdempotent()
}

func TestCommandsAreRefusedWithAReason(t *testing.T) {
	f := newKit(t)
	f.Receive(alert("prod_1", 8, events.AlertWarning))
	id := f.only().PurchaseOrderID
	approve := func(ctx context.Context, tx *store.Tx) (procurement.PurchaseOrder, error) {
		return f.buy.Approve(ctx, tx, id, 0)
	}
	receive := func(ctx context.Context, tx *store.Tx) (procurement.PurchaseOrder, error) {
		return f.buy.Receive(ctx, tx, id, 0)
	}
	cancel := func(ctx context.Context, tx *store.Tx) (procurement.PurchaseOrder, error) {
		return f.buy.Cancel(ctx, tx, id, "bought elsewhere")
	}
	f.refuses(store.IllegalTransition, receive)
	f.refuses(store.NotFound, func(ctx context.Context, tx *store.Tx) (procurement.PurchaseOrder, error) {
		return f.buy.Approve(ctx, tx, "po_9", 0)
	})
	f.Do(func(ctx context.Context, tx *store.Tx) error { _, err := cancel(ctx, tx); return err })
	require.Equal(t, procurement.Cancelled, f.only().Status)
	require.Equal(t, "bought elsewhere", f.only().Note)
	f.refuses(store.IllegalTransition, approve)
	f.refuses(store.IllegalTransition, receive)
	f.refuses(store.IllegalTransition, cancel)
	f.Receive(alert("prod_1", 7, events.AlertWarning))
	require.Len(t, f.list(procurement.Filter{Status: procurement.Proposed}), 1)
	f.WantIdempotent()
}
