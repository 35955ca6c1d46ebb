package inventory

import (
	"context"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Adjustment is a manual change of what lies at a location.
type Adjustment struct {
	ProductID, LocationID string
	Change                int64 // not 0
	Type                  string
	Reason                string
	ReferenceNumber       string
}

// Adjust changes what is on hand; it never falls below what is reserved.
func (s *Service) Adjust(ctx context.Context, tx *store.Tx, a Adjustment) (Level, error) {
	if a.LocationID == "" {
		a.LocationID = s.DefaultLocation
	}
	if err := tx.Lock(ctx, a.ProductID); err != nil {
		return Level{}, err
	}
	at, err := s.levelFor(ctx, tx, a.ProductID, a.LocationID)
	if err != nil {
		return at, err
	}
	if at.OnHand()+a.Change < at.Reserved {
		return at, store.Refuse(store.InsufficientStock, "/change", "%d are on hand and %d of them reserved: a change by %d is not possible", at.OnHand(), at.Reserved, a.Change)
	}
	return at, s.adjust(ctx, tx, &at, a.Change, a.Type, a.Reason, a.ReferenceNumber)
}

// levelFor finds a level of a known product, or begins one at another location.
func (s *Service) levelFor(ctx context.Context, tx *store.Tx, product, location string) (Level, error) {
	at, found, err := findLevel(ctx, tx, product, location)
	if err != nil || found {
		return at, err
	}
	p, known, err := findProduct(ctx, tx, product)
	if err != nil {
		return at, err
	}
	if !known || p.deleted {
		return at, store.Refuse(store.NotFound, "/product_id", "no product %s", product)
	}
	return Level{ProductID: product, LocationID: location, Threshold: s.DefaultThreshold}, nil
}

func (s *Service) adjust(ctx context.Context, tx *store.Tx, at *Level, change int64, kind, reason, reference string) error {
	before, old := at.Available(), at.OnHand()
	at.Adjusted += change
	err := tx.Emit(events.InventoryAdjusted{
		ProductID: at.ProductID, LocationID: at.LocationID, OldQuantity: old, NewQuantity: at.OnHand(), AdjustmentType: kind, Reason: reason, ReferenceNumber: reference,
	})
	if err != nil {
		return err
	}
	update := events.UpdateAdjustment
	switch kind {
	case events.AdjustmentRestock:
		update = events.UpdateRestock
	case events.AdjustmentManual:
		update = events.UpdateManual
	}
	return s.changed(ctx, tx, at, before, update)
}

// Reserve holds stock by hand. Inventory ends such a reservation itself when it expires.
func (s *Service) Reserve(ctx context.Context, tx *store.Tx, product, location, order string, quantity int64) (Reservation, error) {
	shelf, reason, err := s.loadShelf(ctx, tx, []events.Item{{ProductID: product, Quantity: quantity}})
	if err != nil {
		return Reservation{}, err
	}
	if reason == events.ReasonUnknownProduct {
		return Reservation{}, store.Refuse(store.NotFound, "/product_id", "no product %s", product)
	}
	if reason != "" {
		return Reservation{}, store.Refuse(store.InactiveProduct, "/product_id", "product %s is not for sale", product)
	}
	at := shelf.best(product, location, quantity)
	if at == nil {
		return Reservation{}, store.Refuse(store.InsufficientStock, "/quantity", "no location has %d of %s available", quantity, product)
	}
	id := tx.NewID("res")
	correlation := tx.Origin().CorrelationID
	if correlation == "" {
		correlation = id
	}
	expires := tx.Now().Add(s.HoldFor)
	r := Reservation{ReservationID: id, ProductID: product, LocationID: at.LocationID, OrderID: order, Quantity: quantity, Status: Open, ExpiresAt: &expires, correlation: correlation, byHand: true}
	if err := s.hold(ctx, tx, at, r); err != nil {
		return r, err
	}
	return r, tx.Enqueue(ctx, store.Job{Kind: ExpireJob, Name: id, Key: id, Due: expires, Payload: Expiry{ReservationID: id}})
}

// Release ends a reservation made by hand; those of orders are ended by their order alone.
func (s *Service) Release(ctx context.Context, tx *store.Tx, id, reason string) (Reservation, error) {
	r, found, err := lockReservation(ctx, tx, id)
	if err != nil {
		return r, err
	}
	if !found {
		return r, store.Refuse(store.NotFound, "/reservation_id", "no reservation %s", id)
	}
	if !r.byHand {
		return r, store.Refuse(store.IllegalTransition, "/reservation_id", "the reservation belongs to order %s: cancel the order instead", r.OrderID)
	}
	if r.Status != Open {
		return r, store.Refuse(store.IllegalTransition, "/reservation_id", "the reservation is %s", r.Status)
	}
	if err := tx.CancelJob(ctx, ExpireJob, id); err != nil {
		return r, err
	}
	r.Status = Released
	return r, s.release(ctx, tx, r, reason)
}

// ExpireJob is the kind of the job that ends a reservation made by hand.
const ExpireJob = "expire-reservation"

// Expiry names the reservation that expires.
type Expiry struct {
	ReservationID string `json:"reservation_id"`
}

// ExpireReservation ends a reservation made by hand when its time is up.
func (s *Service) ExpireReservation(ctx context.Context, tx *store.Tx, e Expiry) error {
	r, found, err := lockReservation(ctx, tx, e.ReservationID)
	if err != nil || !found || r.Status != Open {
		return err
	}
	return s.release(ctx, tx, r, "expired")
}

// SetThreshold sets when a product is low at a location.
func (s *Service) SetThreshold(ctx context.Context, tx *store.Tx, product, location string, threshold int64) (Level, error) {
	if location == "" {
		location = s.DefaultLocation
	}
	if err := tx.Lock(ctx, product); err != nil {
		return Level{}, err
	}
	at, err := s.levelFor(ctx, tx, product, location)
	if err != nil {
		return at, err
	}
	at.Threshold = threshold
	return at, saveLevel(ctx, tx, at)
}
