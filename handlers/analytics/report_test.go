package analytics_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/analytics"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func read(t *testing.T, k *routertest.Kit, s *analytics.Service, name string, of analytics.Range) (lines []string) {
	t.Helper()
	report, known := analytics.Find(name)
	require.True(t, known, name)
	k.View(func(ctx context.Context, r store.Reader) error {
		table, err := s.Read(ctx, r, report, of)
		for _, row := range table.Rows {
			require.Len(t, row, len(table.Columns))
			var words []string
			for _, v := range row {
				if at, ok := v.(time.Time); ok {
					v = at.Format("2006-01-02T15:04")
				}
				words = append(words, fmt.Sprint(v))
			}
			lines = append(lines, strings.Join(words, " "))
		}
		return err
	})
	return lines
}

func TestALateEventCorrectsItsOwnDay(t *testing.T) {
	k, s := newKit(t) // it is noon on 15 January 2026
	day := analytics.Range{By: analytics.Day}
	k.Receive(completed)
	k.Advance(26 * time.Hour)
	k.Receive(refunded)
	require.Equal(t, []string{"2026-01-15T00:00 USD 50.00 0.00 50.00", "2026-01-16T00:00 USD 0.00 20.00 -20.00"}, read(t, k, s, "revenue", day))

	late := completed
	late.OrderID, late.FinalAmount = "order_2", 100
	k.ReceiveForeign(late, k.Now().Add(-25*time.Hour))
	require.Equal(t, []string{"2026-01-15T00:00 USD 51.00 0.00 51.00", "2026-01-16T00:00 USD 0.00 20.00 -20.00"}, read(t, k, s, "revenue", day))
	require.Equal(t, []string{"2026-01-15T12:00 USD 1 0", "2026-01-15T13:00 USD 1 0"}, read(t, k, s, "orders", analytics.Range{By: analytics.Hour, To: k.Now().Add(-time.Hour)}))
	k.WantIdempotent()
	k.WantRebuilt()
}

func TestARefundCountsIfItsOrderEverCompleted(t *testing.T) {
	k, s := newKit(t)
	k.Receive(refunded)
	require.Empty(t, read(t, k, s, "revenue", analytics.Range{By: analytics.Day}), "of a cancelled order, for all that is known")
	k.Receive(completed)
	require.Equal(t, []string{"2026-01-15T00:00 USD 50.00 20.00 30.00"}, read(t, k, s, "revenue", analytics.Range{By: analytics.Day}))
}

func TestReportsOfStock(t *testing.T) {
	k, s := newKit(t)
	day := analytics.Range{By: analytics.Day}
	k.Receive(events.InventoryReserved{ReservationID: "res_1", ProductID: "prod_1", Quantity: 3, OrderID: "order_1"})
	k.Receive(events.InventoryReleased{ReservationID: "res_1", ProductID: "prod_1", Quantity: 1, OrderID: "order_1", Reason: "order_cancelled"})
	k.Receive(events.InventoryReserved{ReservationID: "res_2", ProductID: "prod_2", Quantity: 3, OrderID: "order_1", LocationID: "berlin"})
	require.Equal(t, []string{"2026-01-15T00:00 prod_1 warehouse_main 3 1 2", "2026-01-15T00:00 prod_2 berlin 3 0 3"}, read(t, k, s, "demand", day))
	require.Equal(t, []string{"2026-01-15T00:00 prod_2 berlin 3 0 3"}, read(t, k, s, "demand", analytics.Range{By: analytics.Day, Product: "prod_2"}))

	k.Receive(events.InventoryReservationFailed{OrderID: "order_3", Reason: events.ReasonInsufficientStock, Items: []events.Shortage{{ProductID: "prod_1", Requested: 9, Available: 2}}})
	require.Equal(t, []string{"2026-01-15T00:00 insufficient_stock   1 0 0", "2026-01-15T00:00 insufficient_stock prod_1 warehouse_main 1 9 7"}, read(t, k, s, "failed_reservations", day))

	k.Receive(events.InventoryAdjusted{ProductID: "prod_1", OldQuantity: 10, NewQuantity: 7, AdjustmentType: events.AdjustmentTheft})
	k.Receive(events.InventoryAdjusted{ProductID: "prod_2", OldQuantity: 10, NewQuantity: 8, AdjustmentType: events.AdjustmentTheft})
	k.Receive(events.InventoryAdjusted{ProductID: "prod_2", OldQuantity: 8, NewQuantity: 20, AdjustmentType: events.AdjustmentRestock})
	require.Equal(t, []string{"2026-01-15T00:00 restock 1 12 0 12", "2026-01-15T00:00 theft 2 0 5 -5"}, read(t, k, s, "shrinkage", day))

	k.Receive(events.ProductOutOfStock{ProductID: "prod_1"})
	require.Equal(t, []string{"2026-01-15T00:00 prod_1 warehouse_main 1"}, read(t, k, s, "stockouts", day))
}

func TestThePriceHistoryKnowsWhenAPriceHolds(t *testing.T) {
	k, s := newKit(t)
	later := k.Now().Add(48 * time.Hour)
	k.Receive(events.ProductPriceChanged{ProductID: "prod_1", OldPrice: 90, NewPrice: 80, EffectiveDate: &later})
	k.Receive(events.ProductPriceChanged{ProductID: "prod_1", OldPrice: 100, NewPrice: 90})
	require.Equal(t, []string{"prod_1 2026-01-15T12:00 1.00 0.90 2026-01-15T12:00", "prod_1 2026-01-17T12:00 0.90 0.80 2026-01-15T12:00"},
		read(t, k, s, "prices", analytics.Range{By: analytics.Day}))
}

func TestLowStockLastsUntilItIsAboveItsThreshold(t *testing.T) {
	k, s := newKit(t)
	level := func(n int64) {
		k.Receive(events.InventoryUpdated{ProductID: "prod_1", Quantity: n, UpdateType: events.UpdateManual})
	}
	alert := func(n int64, level string) {
		k.Receive(events.InventoryLowStockAlert{ProductID: "prod_1", CurrentQuantity: n, Threshold: 10, AlertLevel: level})
	}
	level(9)
	alert(9, events.AlertWarning)
	k.Advance(30 * time.Minute)
	level(5)
	alert(5, events.AlertCritical) // of the same episode
	k.Advance(60 * time.Minute)
	level(10) // at the threshold is still low
	k.Advance(15 * time.Minute)
	level(50)
	k.Advance(24 * time.Hour)
	alert(3, events.AlertCritical)
	k.Advance(10 * time.Minute)
	level(11)
	require.Equal(t, []string{"2026-01-15T12:00 prod_1 warehouse_main 3600", "2026-01-15T13:00 prod_1 warehouse_main 2700", "2026-01-16T13:00 prod_1 warehouse_main 600"},
		read(t, k, s, "low_stock", analytics.Range{By: analytics.Hour}))
	require.Equal(t, []string{"2026-01-15T00:00 prod_1 warehouse_main 6300", "2026-01-16T00:00 prod_1 warehouse_main 600"}, read(t, k, s, "low_stock", analytics.Range{By: analytics.Day}))
	require.Equal(t, []string{"2026-01-15T13:00 prod_1 warehouse_main 2700"},
		read(t, k, s, "low_stock", analytics.Range{By: analytics.Hour, From: time.Date(2026, 1, 15, 13, 0, 0, 0, time.UTC), To: time.Date(2026, 1, 16, 13, 0, 0, 0, time.UTC)}))
}

func TestStockThatIsStillLowLastsUntilNow(t *testing.T) {
	k, s := newKit(t)
	s.Clock = k.Now
	k.Receive(events.InventoryLowStockAlert{ProductID: "prod_1", CurrentQuantity: 3, Threshold: 10, AlertLevel: events.AlertCritical})
	k.Advance(90 * time.Minute)
	require.Equal(t, []string{"2026-01-15T12:00 prod_1 warehouse_main 3600", "2026-01-15T13:00 prod_1 warehouse_main 1800"},
		read(t, k, s, "low_stock", analytics.Range{By: analytics.Hour}))
	k.Advance(10 * time.Minute)
	require.Equal(t, []string{"2026-01-15T13:00 prod_1 warehouse_main 2400"},
		read(t, k, s, "low_stock", analytics.Range{By: analytics.Hour, From: time.Date(2026, 1, 15, 13, 0, 0, 0, time.UTC)}))
}
