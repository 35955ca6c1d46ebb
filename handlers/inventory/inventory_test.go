package inventory_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/inventory"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

const warehouse = "warehouse_main"

type fixture struct {
	*routertest.Kit
	inv *inventory.Service
}

func newKit(t *testing.T) fixture {
	inv := &inventory.Service{HoldFor: 15 * time.Minute, DefaultLocation: warehouse, DefaultThreshold: 10}
	return fixture{inv: inv, Kit: routertest.New(t, inventory.Migrations,
		router.On(inv.TrackCreated), router.On(inv.TrackUpdated), router.On(inv.TrackDeleted),
		router.On(inv.ReserveOrder), router.On(inv.ReleaseOrder), router.On(inv.ShipOrder),
		router.Do(inventory.ExpireJob, inv.ExpireReservation))}
}

func (f fixture) product(id string, stock int64) {
	f.Receive(events.ProductCreated{ProductID: id, Name: id, CategoryID: "c", Price: 100, IsActive: true})
	if stock > 0 {
		f.adjust(id, "", stock)
	}
}

func (f fixture) adjust(id, location string, change int64) {
	f.Do(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.inv.Adjust(ctx, tx, inventory.Adjustment{ProductID: id, LocationID: location, Change: change, Type: events.AdjustmentRestock})
		return err
	})
}

func (f fixture) stock(t *testing.T, id string) (levels []inventory.Level) {
	f.View(func(ctx context.Context, r store.Reader) (err error) {
		levels, err = f.inv.Stock(ctx, r, id)
		return err
	})
	for _, l := range levels {
		require.GreaterOrEqual(t, l.Reserved, int64(0))
		require.LessOrEqual(t, l.Reserved, l.OnHand())
	}
	return levels
}

func order(id string, items ...events.Item) events.OrderCreated {
	home := events.Address{Street: "1 Main St", City: "Anytown", Zip: "12345", Country: "US"}
	return events.OrderCreated{OrderID: id, CustomerID: "cust_1", Currency: "USD", Status: "pending", Items: items, ShippingAddress: home, BillingAddress: home}
}

func line(product string, quantity int64) events.Item {
	return events.Item{ProductID: product, Quantity: quantity, UnitPrice: 100, TotalPrice: 100 * events.Money(quantity)}
}

func cancelled(id, reason string) events.OrderCancelled {
	return events.OrderCancelled{OrderID: id, CancellationReason: reason, CancelledBy: events.BySystem, CancelledAt: time.Now()}
}

func TestReserveOrderHoldsEveryLineOrNone(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 3)
	f.product("prod_2", 5)

	f.Receive(order("order_1", line("prod_1", 2), line("prod_2", 1)))
	expires := f.Now().Add(15 * time.Minute)
	f.WantEmitted(
		events.InventoryReserved{OrderID: "order_1", ProductID: "prod_1", Quantity: 2, LocationID: warehouse, ExpiresAt: &expires},
		events.InventoryReserved{OrderID: "order_1", ProductID: "prod_2", Quantity: 1, LocationID: warehouse, ExpiresAt: &expires},
		events.InventoryUpdated{ProductID: "prod_1", Quantity: 3, UpdateType: events.UpdateReservation},
	)

	f.Receive(order("order_2", line("prod_2", 1), line("prod_1", 2))) // one left
	f.WantOnly(events.InventoryReservationFailed{
		OrderID: "order_2", Reason: events.ReasonInsufficientStock, Items: []events.Shortage{{ProductID: "prod_1", Requested: 2, Available: 1}},
	})
	require.Equal(t, int64(1), f.stock(t, "prod_2")[0].Reserved, "nothing of the refused order is held")
	f.WantIdempotent()
}

func TestTwoLinesOfOneProductShareItsStock(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 3)
	f.Receive(order("order_1", line("prod_1", 2), line("prod_1", 2)))
	f.WantEmitted(events.InventoryReservationFailed{OrderID: "order_1", Reason: events.ReasonInsufficientStock})
	f.Receive(order("order_2", line("prod_1", 2), line("prod_1", 1)))
	require.Len(t, routertest.Emitted[events.InventoryReserved](f.Kit), 2)
	require.Equal(t, int64(0), f.stock(t, "prod_1")[0].Available())
}

func TestUnknownAndInactiveProductsAreRefusedByReason(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 3)
	f.Receive(order("order_1", line("prod_nowhere", 1)))
	f.WantOnly(events.InventoryReservationFailed{OrderID: "order_1", Reason: events.ReasonUnknownProduct})
	f.Receive(events.ProductUpdated{ProductID: "prod_1", Name: "n", CategoryID: "c", IsActive: false})
	f.Receive(order("order_2", line("prod_1", 1)))
	f.WantOnly(events.InventoryReservationFailed{OrderID: "order_2", Reason: events.ReasonInactiveProduct})
	f.WantIdempotent()
}

func TestAStaleProductUpdateIsIgnored(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 3)
	f.ReceiveForeign(events.ProductUpdated{ProductID: "prod_1", Name: "n", CategoryID: "c", IsActive: false}, f.Now().Add(-time.Hour))
	f.WantIgnored("stale: a newer state of the product is known")
	f.Receive(order("order_1", line("prod_1", 1)))
	require.Len(t, routertest.Emitted[events.InventoryReserved](f.Kit), 1)
}

func TestReleaseOrderGivesBackOnce(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 3)
	f.Receive(order("order_1", line("prod_1", 2)))
	f.Receive(cancelled("order_1", events.ReasonCustomerRequest))
	f.WantEmitted(
		events.InventoryReleased{OrderID: "order_1", ProductID: "prod_1", Quantity: 2, Reason: "order_cancelled"},
		events.InventoryUpdated{ProductID: "prod_1", Quantity: 3, UpdateType: events.UpdateRelease},
	)
	require.Equal(t, int64(3), f.stock(t, "prod_1")[0].Available())
	f.Receive(cancelled("order_1", events.ReasonCustomerRequest))
	f.WantIgnored("nothing of the order is reserved any more")
	f.Receive(order("order_2", line("prod_1", 1)))
	f.Receive(cancelled("order_2", events.ReasonReservationExpired))
	f.WantEmitted(events.InventoryReleased{OrderID: "order_2", Reason: "expired"})
	f.WantIdempotent()
}

func TestACancellationWaitsForItsOrder(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 3)
	f.Receive(cancelled("order_1", events.ReasonCustomerRequest))
	f.WantWaiting()
	f.Receive(order("order_1", line("prod_1", 2)))
	require.Equal(t, int64(3), f.stock(t, "prod_1")[0].Available(), "reserved, then released by the cancellation that had waited")
	f.WantIdempotent()
}

func TestShipOrderDeducts(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 12)
	f.Receive(order("order_1", line("prod_1", 2)))
	f.Receive(events.OrderCompleted{OrderID: "order_1", CompletionTime: f.Now(), PaymentID: "pay_1", FulfillmentID: "ful_1", FinalAmount: 200})
	f.WantEmitted(events.InventoryUpdated{ProductID: "prod_1", Quantity: 10, UpdateType: events.UpdateShipment})
	level := f.stock(t, "prod_1")[0]
	require.Equal(t, inventory.Level{ProductID: "prod_1", LocationID: warehouse, Adjusted: 12, Shipped: 2, Threshold: 10}, level)
	f.WantIdempotent()
}

func TestAlertsOncePerDownwardCrossing(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 12)
	take := func(quantity int64) []events.InventoryLowStockAlert {
		f.adjust("prod_1", "", -quantity)
		return routertest.Emitted[events.InventoryLowStockAlert](f.Kit)
	}
	level := func(alerts []events.InventoryLowStockAlert) string {
		require.Len(t, alerts, 1)
		return alerts[0].AlertLevel
	}
	require.Empty(t, take(1))
	require.Equal(t, events.AlertWarning, level(take(1)))
	require.Empty(t, take(1))
	require.Equal(t, events.AlertCritical, level(take(4)))
	require.Equal(t, events.AlertUrgent, level(take(5)))
	f.adjust("prod_1", "", 20)
	require.Equal(t, events.AlertUrgent, level(take(20)), "one alert for the lowest level that was crossed")
}

func TestManualReservationExpires(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 5)
	var r inventory.Reservation
	f.Do(func(ctx context.Context, tx *store.Tx) (err error) {
		r, err = f.inv.Reserve(ctx, tx, "prod_1", "", "", 4)
		return err
	})
	f.Advance(14 * time.Minute)
	require.Equal(t, int64(1), f.stock(t, "prod_1")[0].Available())
	f.Advance(2 * time.Minute)
	f.WantEmitted(events.InventoryReleased{ReservationID: r.ReservationID, Reason: "expired", Quantity: 4})
	require.Equal(t, int64(5), f.stock(t, "prod_1")[0].Available())
	f.Advance(time.Hour)
	f.WantOnly()
}

func TestManualCommandsAreRefusedWithAReason(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 5)
	f.Receive(order("order_1", line("prod_1", 4)))
	reserved := routertest.Emitted[events.InventoryReserved](f.Kit)[0].ReservationID
	for name, c := range map[string]struct {
		code    string
		command func(ctx context.Context, tx *store.Tx) error
	}{
		"below what is reserved": {store.InsufficientStock, func(ctx context.Context, tx *store.Tx) error {
			_, err := f.inv.Adjust(ctx, tx, inventory.Adjustment{ProductID: "prod_1", Change: -2, Type: events.AdjustmentDamage})
			return err
		}},
		"too much": {store.InsufficientStock, func(ctx context.Context, tx *store.Tx) error {
			_, err := f.inv.Reserve(ctx, tx, "prod_1", "", "", 2)
			return err
		}},
		"unknown product": {store.NotFound, func(ctx context.Context, tx *store.Tx) error {
			_, err := f.inv.Adjust(ctx, tx, inventory.Adjustment{ProductID: "prod_9", Change: 1, Type: events.AdjustmentRestock})
			return err
		}},
		"an order's reservation": {store.IllegalTransition, func(ctx context.Context, tx *store.Tx) error {
			_, err := f.inv.Release(ctx, tx, reserved, "manual")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var refused *store.Refused
			require.ErrorAs(t, f.Try(c.command), &refused)
			require.Equal(t, c.code, refused.Code)
			f.WantOnly()
		})
	}
}

func TestADeletedProductIsWrittenOffAsItIsReleased(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 5)
	f.Receive(order("order_1", line("prod_1", 2)))
	f.Receive(events.ProductDeleted{ProductID: "prod_1"})
	f.WantEmitted(events.InventoryAdjusted{ProductID: "prod_1", OldQuantity: 5, NewQuantity: 2, AdjustmentType: events.AdjustmentCorrection, Reason: "product_deleted"})
	f.Receive(order("order_2", line("prod_1", 1)))
	f.WantOnly(events.InventoryReservationFailed{OrderID: "order_2", Reason: events.ReasonInactiveProduct})
	f.Receive(cancelled("order_1", events.ReasonCustomerRequest))
	f.WantEmitted(events.InventoryAdjusted{ProductID: "prod_1", OldQuantity: 2, AdjustmentType: events.AdjustmentCorrection, Reason: "product_deleted"})
	require.Equal(t, int64(0), f.stock(t, "prod_1")[0].OnHand())
	f.WantIdempotent()
}

func TestStockAtSeveralLocations(t *testing.T) {
	f := newKit(t)
	f.product("prod_1", 1)
	f.adjust("prod_1", "berlin", 5)
	f.Receive(order("order_1", line("prod_1", 3)))
	f.WantEmitted(events.InventoryReserved{OrderID: "order_1", LocationID: "berlin", Quantity: 3})
	f.Receive(order("order_2", line("prod_1", 3)))
	f.WantEmitted(events.InventoryReservationFailed{OrderID: "order_2", Reason: events.ReasonInsufficientStock})
}
