// Package orders is the order management service: it takes orders, checks them, and brings every one to its end.
package orders

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"time"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Migrations are the service's tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Service holds the rules of orders.
type Service struct {
	ReservationTTL   time.Duration // how long an order may stay pending
	BlockedCustomers []string
}

// ExpireJob is the kind of the job that cancels an order which stays pending for too long.
const ExpireJob = "expire-order"

// Expiry names the order that expires.
type Expiry struct {
	OrderID string `json:"order_id"`
}

// NewOrder is what a shopper asks for.
type NewOrder struct {
	OrderID, CustomerID, Currency string
	Lines                         []Line
	Shipping, Billing             events.Address
}

// Line is one line of an order; UnitPrice is what the shopper saw, nil for the current price.
type Line struct {
	ProductID string
	Quantity  int64
	UnitPrice *events.Money
}

// Create takes an order. The same order again is answered as it stands, so that a client may repeat itself.
func (s *Service) Create(ctx context.Context, tx *store.Tx, n NewOrder) (Order, error) {
	if n.OrderID == "" {
		n.OrderID = tx.NewID("order")
	}
	if err := tx.Lock(ctx, n.OrderID); err != nil {
		return Order{}, err
	}
	if known, found, err := find(ctx, tx, n.OrderID); err != nil {
		return known, err
	} else if found {
		if known.sameAs(n) {
			return known, nil
		}
		return known, store.Refuse(store.AlreadyExists, "/order_id", "an order %s exists with other content", n.OrderID)
	}
	o := Order{
		OrderID: n.OrderID, CorrelationID: tx.Origin().CorrelationID, CustomerID: n.CustomerID, Currency: n.Currency, Status: Pending,
		CreatedAt: tx.Now(), Shipping: n.Shipping, Billing: n.Billing,
	}
	if o.CorrelationID == "" {
		o.CorrelationID = tx.NewID("order")
	}
	if err := s.price(ctx, tx, &o, n.Lines); err != nil {
		return o, err
	}
	if err := insert(ctx, tx, &o); err != nil {
		return o, fmt.Errorf("taking order %s: %w", o.OrderID, err)
	}
	if err := tx.For(o.CorrelationID).Emit(o.created()); err != nil {
		return o, err
	}
	return o, tx.Enqueue(ctx, store.Job{Kind: ExpireJob, Name: o.OrderID, Key: o.OrderID, Due: tx.Now().Add(s.ReservationTTL), Payload: Expiry{o.OrderID}})
}

// price fills the lines with what they cost, and refuses products that cannot be ordered.
func (s *Service) price(ctx context.Context, tx *store.Tx, o *Order, lines []Line) error {
	for i, line := range lines {
		path := fmt.Sprintf("/items/%d/product_id", i)
		p, found, err := findProduct(ctx, tx, line.ProductID)
		if err != nil {
			return err
		}
		if !found || p.deleted {
			return store.Refuse(store.UnknownProduct, path, "no product %s", line.ProductID)
		}
		if !p.active {
			return store.Refuse(store.InactiveProduct, path, "product %s is not for sale", line.ProductID)
		}
		item := Item{ProductID: line.ProductID, Quantity: line.Quantity}
		if line.UnitPrice != nil {
			item.UnitPrice = *line.UnitPrice
		} else {
			item.ownPrice = true
			if item.UnitPrice, found, err = priceAt(ctx, tx, line.ProductID, tx.Now()); err != nil {
				return err
			}
			if !found {
				return store.Refuse(store.UnknownProduct, path, "product %s has no price yet", line.ProductID)
			}
		}
		item.TotalPrice = item.UnitPrice.Times(item.Quantity)
		if item.UnitPrice > 0 && item.TotalPrice/item.UnitPrice != events.Money(item.Quantity) || item.TotalPrice > maxTotal || o.Total+item.TotalPrice > maxTotal {
			return store.Refuse(store.InvalidValue, fmt.Sprintf("/items/%d/quantity", i), "the order's total is out of range")
		}
		o.Items = append(o.Items, item)
		o.Total += item.TotalPrice
	}
	return nil
}

// maxTotal is the largest amount of a contract, in hundredths.
const maxTotal events.Money = 1 << 53

// NoteReserved notes a reserved line; with the last one the order is checked.
func (s *Service) NoteReserved(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryReserved]) error {
	o, err := orderOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if o.Status != Pending {
		return store.Ignore("the order is " + o.Status)
	}
	line := slices.IndexFunc(o.Items, func(i Item) bool {
		return i.reservationID == "" && i.ProductID == e.Data.ProductID && i.Quantity == e.Data.Quantity
	})
	if line < 0 {
		return store.Ignore("no line of the order waits for this reservation")
	}
	o.Items[line].reservationID = e.Data.ReservationID
	if _, err := tx.Exec(ctx, "UPDATE order_items SET reservation_id = $1 WHERE order_id = $2 AND line = $3", e.Data.ReservationID, o.OrderID, line); err != nil {
		return fmt.Errorf("noting a reservation of %s: %w", o.OrderID, err)
	}
	if slices.ContainsFunc(o.Items, func(i Item) bool { return i.reservationID == "" }) {
		return nil
	}
	return s.check(ctx, tx, o)
}

// check judges a fully reserved order: prices as of its creation, and the customer.
func (s *Service) check(ctx context.Context, tx *store.Tx, o Order) error {
	if slices.Contains(s.BlockedCustomers, o.CustomerID) {
		return s.cancel(ctx, tx, o, events.ReasonCustomerBlocked, events.BySystem)
	}
	validated := events.OrderValidated{
		OrderID: o.OrderID, ValidationResults: events.ValidationResults{InventoryCheck: events.Passed, PricingCheck: events.Passed, CustomerCheck: events.Passed},
	}
	for _, item := range o.Items {
		if !item.ownPrice {
			price, found, err := priceAt(ctx, tx, item.ProductID, o.CreatedAt)
			if err != nil {
				return err
			}
			if !found || price != item.UnitPrice {
				return s.cancel(ctx, tx, o, events.ReasonPriceMismatch, events.BySystem)
			}
		}
		validated.Reservations = append(validated.Reservations, events.Reservation{ProductID: item.ProductID, ReservationID: item.reservationID, Quantity: item.Quantity})
	}
	if err := s.move(ctx, tx, &o, Validated, ""); err != nil {
		return err
	}
	if err := tx.CancelJob(ctx, ExpireJob, o.OrderID); err != nil {
		return err
	}
	return tx.For(o.CorrelationID).Emit(validated)
}

// NoteReservationFailed cancels an order whose lines cannot all be reserved.
func (s *Service) NoteReservationFailed(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryReservationFailed]) error {
	o, err := orderOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if o.Status != Pending {
		return store.Ignore("the order is " + o.Status)
	}
	reason := events.ReasonInsufficientStock
	if e.Data.Reason == events.ReasonUnknownProduct || e.Data.Reason == events.ReasonInactiveProduct {
		reason = events.ReasonProductUnavailable
	}
	return s.cancel(ctx, tx, o, reason, events.BySystem)
}

// NoteReleased has nothing to do: orders alone end the reservations of orders.
func (s *Service) NoteReleased(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryReleased]) error {
	return store.Ignore("a release follows the order's own cancellation")
}

// NotePaid completes the order if its goods are on the way too.
func (s *Service) NotePaid(ctx context.Context, tx *store.Tx, e events.Event[events.PaymentProcessed]) error {
	o, err := orderOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if o.paymentID != "" {
		return store.Ignore("the order is paid already")
	}
	o.captured, o.paymentID = e.Data.Amount, e.Data.PaymentID
	if _, err := tx.Exec(ctx, "UPDATE orders SET captured = $1, payment_id = $2 WHERE order_id = $3", int64(o.captured), o.paymentID, o.OrderID); err != nil {
		return fmt.Errorf("noting the payment of %s: %w", o.OrderID, err)
	}
	return s.completeIfDone(ctx, tx, o)
}

// NoteFulfilled completes the order if it is paid too.
func (s *Service) NoteFulfilled(ctx context.Context, tx *store.Tx, e events.Event[events.FulfillmentCompleted]) error {
	o, err := orderOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if o.Status != Validated || o.fulfillmentID != "" {
		return store.Ignore("the order is " + o.Status)
	}
	o.fulfillmentID = e.Data.FulfillmentID
	if _, err := tx.Exec(ctx, "UPDATE orders SET fulfillment_id = $1 WHERE order_id = $2", o.fulfillmentID, o.OrderID); err != nil {
		return fmt.Errorf("noting the fulfillment of %s: %w", o.OrderID, err)
	}
	return s.completeIfDone(ctx, tx, o)
}

func (s *Service) completeIfDone(ctx context.Context, tx *store.Tx, o Order) error {
	if o.Status != Validated || o.paymentID == "" || o.fulfillmentID == "" {
		return nil
	}
	o.Final = o.captured
	if err := s.move(ctx, tx, &o, Completed, ""); err != nil {
		return err
	}
	return tx.For(o.CorrelationID).Emit(events.OrderCompleted{
		OrderID: o.OrderID, CompletionTime: tx.Now(), PaymentID: o.paymentID, FulfillmentID: o.fulfillmentID, FinalAmount: o.Final, CustomerID: o.CustomerID, Currency: o.Currency,
	})
}

// NoteUnpaid cancels an order that will not be paid; for a cancelled one it is payments' answer.
func (s *Service) NoteUnpaid(ctx context.Context, tx *store.Tx, e events.Event[events.PaymentFailed]) error {
	o, err := orderOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if o.answered || o.Status == Completed || o.Status == Refunded {
		return store.Ignore("the order is " + o.Status)
	}
	if _, err := tx.Exec(ctx, "UPDATE orders SET answered = 1 WHERE order_id = $1", o.OrderID); err != nil {
		return fmt.Errorf("noting the failed payment of %s: %w", o.OrderID, err)
	}
	if o.Status == Cancelled {
		return nil
	}
	return s.cancel(ctx, tx, o, events.ReasonPaymentDeclined, events.BySystem)
}

// NoteUnfulfilled cancels an order whose goods cannot be sent.
func (s *Service) NoteUnfulfilled(ctx context.Context, tx *store.Tx, e events.Event[events.FulfillmentFailed]) error {
	o, err := orderOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if o.Status != Validated {
		return store.Ignore("the order is " + o.Status)
	}
	return s.cancel(ctx, tx, o, events.ReasonFulfillmentFailed, events.BySystem)
}

// NoteRefunded books money that went back, of a cancelled or a completed order.
func (s *Service) NoteRefunded(ctx context.Context, tx *store.Tx, e events.Event[events.PaymentRefunded]) error {
	o, err := orderOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if o.Status != Cancelled && o.Status != Completed {
		return store.Ignore("the order is " + o.Status)
	}
	o.RefundedAmount += e.Data.Amount
	o.requested = max(o.requested-e.Data.Amount, 0)
	_, err = tx.Exec(ctx, "UPDATE orders SET refunded = $1, requested = $2 WHERE order_id = $3", int64(o.RefundedAmount), int64(o.requested), o.OrderID)
	if err != nil {
		return fmt.Errorf("noting a refund of %s: %w", o.OrderID, err)
	}
	if o.RefundedAmount >= o.captured {
		if err := s.move(ctx, tx, &o, Refunded, e.Data.Reason); err != nil {
			return err
		}
	}
	return tx.For(o.CorrelationID).Emit(events.OrderRefunded{
		OrderID: o.OrderID, RefundID: e.Data.RefundID, RefundAmount: e.Data.Amount, RefundReason: e.Data.Reason, RefundMethod: e.Data.Method, ProcessedAt: e.Data.RefundedAt,
		CustomerID: o.CustomerID, Currency: o.Currency,
	})
}
