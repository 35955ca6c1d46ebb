package analytics_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/analytics"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

func newKit(t *testing.T) (*routertest.Kit, *analytics.Service) {
	s := &analytics.Service{DefaultLocation: "warehouse_main"}
	return routertest.New(t, analytics.Migrations,
		router.On(s.CountCompleted), router.On(s.CountRefunded), router.On(s.CountReserved), router.On(s.CountReleased), router.On(s.CountReservationFailed),
		router.On(s.CountAdjusted), router.On(s.NotePrice), router.On(s.NoteAlert), router.On(s.NoteLevel), router.On(s.CountOutOfStock),
		router.Rebuild{Tables: analytics.Projection}), s
}

func count(k *routertest.Kit, query string, args ...any) (n int64) {
	k.View(func(ctx context.Context, r store.Reader) error { return r.QueryRow(ctx, query, args...).Scan(&n) })
	return n
}

var (
	completed = events.OrderCompleted{OrderID: "order_1", PaymentID: "pay_1", FulfillmentID: "ful_1", FinalAmount: 5000, Currency: "USD", CompletionTime: time.Unix(1, 0)}
	refunded  = events.OrderRefunded{OrderID: "order_1", RefundID: "ref_1", RefundAmount: 2000, RefundReason: "broken", RefundMethod: "original", ProcessedAt: time.Unix(1, 0), Currency: "USD"}
)

// TestEveryHandlerCountsOnce receives each event that the service hears, and all of them again.
func TestEveryHandlerCountsOnce(t *testing.T) {
	k, _ := newKit(t)
	k.Receive(completed)
	k.Receive(refunded)
	k.Receive(events.InventoryReserved{ReservationID: "res_1", ProductID: "prod_1", Quantity: 3, OrderID: "order_1"})
	k.Receive(events.InventoryReserved{ReservationID: "res_2", ProductID: "prod_1", Quantity: 4, OrderID: "order_2", LocationID: "warehouse_main"})
	k.Receive(events.InventoryReleased{ReservationID: "res_1", ProductID: "prod_1", Quantity: 3, OrderID: "order_1", Reason: "order_cancelled"})
	k.Receive(events.InventoryReservationFailed{OrderID: "order_3", Reason: events.ReasonInsufficientStock, Items: []events.Shortage{{ProductID: "prod_1", Requested: 9, Available: 2}}})
	k.Receive(events.InventoryAdjusted{ProductID: "prod_1", OldQuantity: 10, NewQuantity: 7, AdjustmentType: events.AdjustmentTheft})
	k.Receive(events.ProductPriceChanged{ProductID: "prod_1", OldPrice: 100, NewPrice: 90})
	k.Receive(events.InventoryLowStockAlert{ProductID: "prod_1", CurrentQuantity: 7, Threshold: 10, AlertLevel: events.AlertWarning})
	k.Receive(events.InventoryUpdated{ProductID: "prod_1", Quantity: 7, UpdateType: events.UpdateAdjustment})
	k.Receive(events.ProductOutOfStock{ProductID: "prod_1"})
	k.WantOnly()

	require.Equal(t, int64(5000), count(k, "SELECT SUM(amount) FROM completed_orders"))
	require.Equal(t, int64(2000), count(k, "SELECT SUM(amount) FROM refunds"))
	require.Equal(t, int64(1), count(k, "SELECT COUNT(*) FROM demand WHERE reserved = 7 AND released = 3 AND location_id = 'warehouse_main'"), "no location is the default one")
	require.Equal(t, int64(1), count(k, "SELECT COUNT(*) FROM failed_reservations WHERE product_id = '' AND failures = 1"))
	require.Equal(t, int64(1), count(k, "SELECT COUNT(*) FROM failed_reservations WHERE product_id = 'prod_1' AND requested = 9 AND missing = 7"))
	require.Equal(t, int64(1), count(k, "SELECT COUNT(*) FROM adjustments WHERE adjustment_type = 'theft' AND lost = 3 AND gained = 0"))
	require.Equal(t, int64(1), count(k, "SELECT COUNT(*) FROM prices WHERE new_price = 90"))
	require.Equal(t, int64(1), count(k, "SELECT COUNT(*) FROM alerts"))
	require.Equal(t, int64(1), count(k, "SELECT COUNT(*) FROM levels WHERE available = 7"))
	require.Equal(t, int64(1), count(k, "SELECT COUNT(*) FROM stockouts"))
	k.WantIdempotent()
	k.WantRebuilt()
}
