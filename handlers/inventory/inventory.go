// Package inventory is the inventory management service: what lies where, what is reserved for whom.
package inventory

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

// Service holds the inventory's rules.
type Service struct {
	HoldFor          time.Duration // how long a reservation lives
	DefaultLocation  string
	DefaultThreshold int64
}

// ReserveOrder holds stock for every line of a new order, each at one location, or for none. Too little stock is an outcome
// and is emitted; an error means: nothing happened, try again.
func (s *Service) ReserveOrder(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCreated]) error {
	order := e.Data
	closed, err := isClosed(ctx, tx, order.OrderID)
	if err != nil {
		return err
	}
	if closed {
		return store.Ignore("the order ended before its reservation")
	}
	shelf, reason, err := s.loadShelf(ctx, tx, order.Items)
	if err != nil {
		return fmt.Errorf("locking stock of %s: %w", order.OrderID, err)
	}
	picks, short := shelf.pick(order.Items)
	if reason == "" && short != nil {
		reason = events.ReasonInsufficientStock
	}
	if reason != "" {
		return tx.Emit(events.InventoryReservationFailed{OrderID: order.OrderID, Reason: reason, Items: short})
	}
	expires := tx.Now().Add(s.HoldFor)
	for i, item := range order.Items {
		r := Reservation{
			ReservationID: tx.NewID("res"), ProductID: item.ProductID, LocationID: picks[i].LocationID, OrderID: order.OrderID, Quantity: item.Quantity,
			Status: Open, ExpiresAt: &expires, correlation: e.CorrelationID,
		}
		if err := s.hold(ctx, tx, picks[i], r); err != nil {
			return fmt.Errorf("reserving %s for %s: %w", item.ProductID, order.OrderID, err)
		}
	}
	return nil
}

// hold writes a reservation and the stock that it takes.
func (s *Service) hold(ctx context.Context, tx *store.Tx, at *Level, r Reservation) error {
	if err := saveReservation(ctx, tx, r); err != nil {
		return err
	}
	if err := tx.Emit(events.InventoryReserved{
		ReservationID: r.ReservationID, ProductID: r.ProductID, Quantity: r.Quantity, LocationID: r.LocationID, OrderID: r.OrderID, ExpiresAt: r.ExpiresAt,
	}); err != nil {
		return err
	}
	before := at.Available()
	at.Reserved += r.Quantity
	return s.changed(ctx, tx, at, before, events.UpdateReservation)
}

// ReleaseOrder gives back what a cancelled order had reserved. A cancellation that overtakes its order leaves a tombstone.
func (s *Service) ReleaseOrder(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCancelled]) error {
	held, err := lockReservationsOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if len(held) == 0 {
		return closeOrder(ctx, tx, e.Data.OrderID)
	}
	reason := "order_cancelled"
	if e.Data.CancellationReason == events.ReasonReservationExpired {
		reason = "expired"
	}
	released := false
	for _, r := range held {
		if r.Status != Open {
			continue
		}
		released = true
		if err := s.release(ctx, tx, r, reason); err != nil {
			return fmt.Errorf("releasing %s of %s: %w", r.ReservationID, e.Data.OrderID, err)
		}
	}
	if !released {
		return store.Ignore("nothing of the order is reserved any more")
	}
	return nil
}

func (s *Service) release(ctx context.Context, tx *store.Tx, r Reservation, reason string) error {
	at, found, err := findLevel(ctx, tx, r.ProductID, r.LocationID)
	if err != nil || !found {
		return orMissing(err, r)
	}
	if err := setStatus(ctx, tx, r.ReservationID, Released); err != nil {
		return err
	}
	emit := tx.For(r.correlation)
	if err := emit.Emit(events.InventoryReleased{
		ReservationID: r.ReservationID, ProductID: r.ProductID, Quantity: r.Quantity, LocationID: r.LocationID, Reason: reason, OrderID: r.OrderID,
	}); err != nil {
		return err
	}
	before := at.Available()
	at.Reserved -= r.Quantity
	if err := s.changed(ctx, tx, &at, before, events.UpdateRelease); err != nil {
		return err
	}
	return s.writeOffIfDeleted(ctx, tx, &at)
}

// ShipOrder deducts the goods of a completed order.
func (s *Service) ShipOrder(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCompleted]) error {
	held, err := lockReservationsOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	shipped := false
	for _, r := range held {
		if r.Status != Open {
			continue
		}
		shipped = true
		at, found, err := findLevel(ctx, tx, r.ProductID, r.LocationID)
		if err != nil || !found {
			return orMissing(err, r)
		}
		if err := setStatus(ctx, tx, r.ReservationID, Shipped); err != nil {
			return err
		}
		before := at.Available()
		at.Reserved -= r.Quantity
		at.Shipped += r.Quantity
		if err := s.changed(ctx, tx, &at, before, events.UpdateShipment); err != nil {
			return fmt.Errorf("shipping %s of %s: %w", r.ReservationID, e.Data.OrderID, err)
		}
	}
	if !shipped {
		return store.Ignore("nothing of the order is reserved")
	}
	return nil
}

// TrackCreated opens a stock record for a new product.
func (s *Service) TrackCreated(ctx context.Context, tx *store.Tx, e events.Event[events.ProductCreated]) error {
	_, found, err := findLevel(ctx, tx, e.Data.ProductID, s.DefaultLocation)
	if err != nil {
		return err
	}
	if !found {
		if err := saveLevel(ctx, tx, Level{ProductID: e.Data.ProductID, LocationID: s.DefaultLocation, Threshold: s.DefaultThreshold}); err != nil {
			return err
		}
	}
	return trackProduct(ctx, tx, e.Data.ProductID, e.Data.IsActive, false, e.Sequence, e.Timestamp, e.Newer)
}

// TrackUpdated keeps whether a product may be ordered.
func (s *Service) TrackUpdated(ctx context.Context, tx *store.Tx, e events.Event[events.ProductUpdated]) error {
	return trackProduct(ctx, tx, e.Data.ProductID, e.Data.IsActive, false, e.Sequence, e.Timestamp, e.Newer)
}

// TrackDeleted writes off what is not reserved; the rest follows when it is released.
func (s *Service) TrackDeleted(ctx context.Context, tx *store.Tx, e events.Event[events.ProductDeleted]) error {
	if err := trackProduct(ctx, tx, e.Data.ProductID, false, true, e.Sequence, e.Timestamp, e.Newer); err != nil {
		return err
	}
	levels, err := levelsOf(ctx, tx, e.Data.ProductID)
	if err != nil {
		return err
	}
	for i := range levels {
		if err := s.writeOff(ctx, tx, &levels[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) writeOffIfDeleted(ctx context.Context, tx *store.Tx, at *Level) error {
	p, found, err := findProduct(ctx, tx, at.ProductID)
	if err != nil || !found || !p.deleted {
		return err
	}
	return s.writeOff(ctx, tx, at)
}

// writeOff takes what is available of a deleted product out of the books.
func (s *Service) writeOff(ctx context.Context, tx *store.Tx, at *Level) error {
	if at.Available() <= 0 {
		return nil
	}
	return s.adjust(ctx, tx, at, -at.Available(), events.AdjustmentCorrection, "product_deleted", "")
}

// changed saves a level and tells the world: the update, and an alert when available crossed a threshold downwards.
func (s *Service) changed(ctx context.Context, tx *store.Tx, at *Level, before int64, kind string) error {
	if err := saveLevel(ctx, tx, *at); err != nil {
		return err
	}
	reserved, available := at.Reserved, at.Available()
	err := tx.Emit(events.InventoryUpdated{
		ProductID: at.ProductID, LocationID: at.LocationID, Quantity: at.OnHand(), ReservedQuantity: &reserved, AvailableQuantity: &available, UpdateType: kind,
	})
	if err != nil {
		return err
	}
	if alert := crossed(before, available, at.Threshold); alert != "" {
		return tx.Emit(events.InventoryLowStockAlert{ProductID: at.ProductID, LocationID: at.LocationID, CurrentQuantity: available, Threshold: at.Threshold, AlertLevel: alert})
	}
	return nil
}

// crossed names the lowest alert level that available fell through, "" if none: warning at the threshold, critical at half
// of it, urgent at nothing.
func crossed(before, available, threshold int64) string {
	switch {
	case before > 0 && available <= 0:
		return events.AlertUrgent
	case 2*before > threshold && 2*available <= threshold && available > 0:
		return events.AlertCritical
	case before > threshold && available <= threshold && available > 0:
		return events.AlertWarning
	}
	return ""
}
