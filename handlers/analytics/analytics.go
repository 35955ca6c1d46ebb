// Package analytics is the analytics service: it counts what happens on the platform, by the hour in which it happened.
//
// Every handler adds a fact or adds to a sum, by the event's own time. So the order in which events of different topics arrive
// changes nothing, and a late event corrects its own day.
package analytics

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Migrations are the service's tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Projection are the tables that derive from events: all of them.
var Projection = []string{"completed_orders", "refunds", "demand", "failed_reservations", "adjustments", "prices", "alerts", "levels", "stockouts"}

// Service counts.
type Service struct {
	DefaultLocation string           // where stock without a location lies
	Clock           func() time.Time // until when stock that is low now has been low; nil: time.Now
}

// hour is the bucket of a time.
func hour(at time.Time) int64 { return store.Micros(at.UTC().Truncate(time.Hour)) }

func (s *Service) location(id string) string {
	if id == "" {
		return s.DefaultLocation
	}
	return id
}

func exec(ctx context.Context, tx *store.Tx, doing, query string, args ...any) error {
	if _, err := tx.Exec(ctx, query, args...); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// CountCompleted notes an order's revenue.
func (s *Service) CountCompleted(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCompleted]) error {
	return exec(ctx, tx, "noting order "+e.Data.OrderID, "INSERT INTO completed_orders (order_id, at, amount, currency) VALUES ($1, $2, $3, $4) ON CONFLICT (order_id) DO NOTHING",
		e.Data.OrderID, store.Micros(e.Timestamp), int64(e.Data.FinalAmount), e.Data.Currency)
}

// CountRefunded notes a refund; whether it lessens revenue depends on whether its order ever completed, which a report looks up.
func (s *Service) CountRefunded(ctx context.Context, tx *store.Tx, e events.Event[events.OrderRefunded]) error {
	return exec(ctx, tx, "noting refund "+e.Data.RefundID, "INSERT INTO refunds (order_id, refund_id, at, amount, currency) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (order_id, refund_id) DO NOTHING",
		e.Data.OrderID, e.Data.RefundID, store.Micros(e.Timestamp), int64(e.Data.RefundAmount), e.Data.Currency)
}

// CountReserved adds to what is in demand.
func (s *Service) CountReserved(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryReserved]) error {
	return demand(ctx, tx, e.Timestamp, e.Data.ProductID, s.location(e.Data.LocationID), e.Data.Quantity, 0)
}

// CountReleased adds to what was given back.
func (s *Service) CountReleased(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryReleased]) error {
	return demand(ctx, tx, e.Timestamp, e.Data.ProductID, s.location(e.Data.LocationID), 0, e.Data.Quantity)
}

func demand(ctx context.Context, tx *store.Tx, at time.Time, product, location string, reserved, released int64) error {
	return exec(ctx, tx, "counting the demand for "+product, `INSERT INTO demand (hour, product_id, location_id, reserved, released) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (hour, product_id, location_id) DO UPDATE SET reserved = demand.reserved + excluded.reserved, released = demand.released + excluded.released`,
		hour(at), product, location, reserved, released)
}

// CountReservationFailed adds an order that could not be served, and each product that was missing.
func (s *Service) CountReservationFailed(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryReservationFailed]) error {
	const add = `INSERT INTO failed_reservations (hour, reason, product_id, location_id, failures, requested, missing) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (hour, reason, product_id, location_id) DO UPDATE SET failures = failed_reservations.failures + excluded.failures,
			requested = failed_reservations.requested + excluded.requested, missing = failed_reservations.missing + excluded.missing`
	at, reason := hour(e.Timestamp), e.Data.Reason
	if err := exec(ctx, tx, "counting a failed reservation", add, at, reason, wholeOrder, "", 1, 0, 0); err != nil {
		return err
	}
	for _, item := range e.Data.Items {
		missing := max(item.Requested-item.Available, 0)
		if err := exec(ctx, tx, "counting the missing "+item.ProductID, add, at, reason, item.ProductID, s.location(item.LocationID), 1, item.Requested, missing); err != nil {
			return err
		}
	}
	return nil
}

// wholeOrder stands for the product in the row that counts orders.
const wholeOrder = ""

// CountAdjusted adds what an adjustment found or lost, by its type.
func (s *Service) CountAdjusted(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryAdjusted]) error {
	change := e.Data.NewQuantity - e.Data.OldQuantity
	return exec(ctx, tx, "counting an adjustment of "+e.Data.ProductID,
		`INSERT INTO adjustments (hour, adjustment_type, product_id, location_id, adjustments, gained, lost) VALUES ($1, $2, $3, $4, 1, $5, $6)
		ON CONFLICT (hour, adjustment_type, product_id, location_id) DO UPDATE SET adjustments = adjustments.adjustments + 1,
			gained = adjustments.gained + excluded.gained, lost = adjustments.lost + excluded.lost`,
		hour(e.Timestamp), e.Data.AdjustmentType, e.Data.ProductID, s.location(e.Data.LocationID), max(change, 0), max(-change, 0))
}

// NotePrice keeps a price with the time from which it holds.
func (s *Service) NotePrice(ctx context.Context, tx *store.Tx, e events.Event[events.ProductPriceChanged]) error {
	since := e.Timestamp
	if e.Data.EffectiveDate != nil && e.Data.EffectiveDate.After(since) {
		since = *e.Data.EffectiveDate
	}
	return exec(ctx, tx, "noting the price of "+e.Data.ProductID,
		"INSERT INTO prices (product_id, since, event_id, announced_at, old_price, new_price) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (product_id, since, event_id) DO NOTHING",
		e.Data.ProductID, store.Micros(since), e.EventID.String(), store.Micros(e.Timestamp), int64(e.Data.OldPrice), int64(e.Data.NewPrice))
}

// NoteAlert keeps when stock fell to its threshold.
func (s *Service) NoteAlert(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryLowStockAlert]) error {
	return exec(ctx, tx, "noting an alert of "+e.Data.ProductID,
		"INSERT INTO alerts (product_id, location_id, at, event_id, level, quantity, threshold) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (product_id, location_id, at, event_id) DO NOTHING",
		e.Data.ProductID, s.location(e.Data.LocationID), store.Micros(e.Timestamp), e.EventID.String(), e.Data.AlertLevel, e.Data.CurrentQuantity, e.Data.Threshold)
}

// NoteLevel keeps how much was available when, so that a report can tell when stock that was low recovered.
func (s *Service) NoteLevel(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryUpdated]) error {
	available := e.Data.Quantity
	switch {
	case e.Data.AvailableQuantity != nil:
		available = *e.Data.AvailableQuantity
	case e.Data.ReservedQuantity != nil:
		available -= *e.Data.ReservedQuantity
	}
	return exec(ctx, tx, "noting the stock of "+e.Data.ProductID,
		"INSERT INTO levels (product_id, location_id, at, event_id, available) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (product_id, location_id, at, event_id) DO NOTHING",
		e.Data.ProductID, s.location(e.Data.LocationID), store.Micros(e.Timestamp), e.EventID.String(), available)
}

// CountOutOfStock adds a product that ran out everywhere; the location is where it ran out last.
func (s *Service) CountOutOfStock(ctx context.Context, tx *store.Tx, e events.Event[events.ProductOutOfStock]) error {
	return exec(ctx, tx, "counting that "+e.Data.ProductID+" ran out", `INSERT INTO stockouts (hour, product_id, location_id, stockouts) VALUES ($1, $2, $3, 1)
		ON CONFLICT (hour, product_id, location_id) DO UPDATE SET stockouts = stockouts.stockouts + 1`,
		hour(e.Timestamp), e.Data.ProductID, s.location(e.Data.LocationID))
}
