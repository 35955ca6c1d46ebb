// Package notifications is the notification service: it tells customers about their orders and the products that they watch,
// and staff about what runs low, by e-mail and webhook. Each event is told to a recipient through a channel once.
package notifications

import (
	"context"
	"embed"
	"time"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Migrations are the service's tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Channel is a way to a recipient.
type Channel string

// The channels.
const (
	Email   Channel = "email"
	Webhook Channel = "webhook"
)

// Subject is what a message is about; customers choose channels by it.
type Subject string

// The subjects.
const (
	Orders   Subject = "orders"   // a message of its own for each event
	Products Subject = "products" // many at once leave as a digest
)

// Service holds the rules of notifications.
type Service struct {
	Mail   Mailer // nil: e-mail is off
	Hooks  Hooks  // nil: webhooks are off
	Staff  Staff
	Digest time.Duration // what one recipient is told about products within it leaves as one message; 0: each by itself
}

// Staff are told about stock.
type Staff struct {
	Emails  []string
	Webhook string
}

// TellCreated thanks a customer for an order.
func (s *Service) TellCreated(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCreated]) error {
	o := order{id: e.Data.OrderID, customer: e.Data.CustomerID, total: e.Data.TotalAmount, currency: e.Data.Currency}
	if err := saveOrder(ctx, tx, o); err != nil {
		return err
	}
	return s.tellOrder(ctx, tx, e.Envelope, o, Facts{})
}

// TellValidated tells a customer that an order is accepted.
func (s *Service) TellValidated(ctx context.Context, tx *store.Tx, e events.Event[events.OrderValidated]) error {
	return s.tellOfKnown(ctx, tx, e.Envelope, e.Data.OrderID, Facts{})
}

// TellCancelled tells a customer that an order has ended, and what becomes of the money.
func (s *Service) TellCancelled(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCancelled]) error {
	facts := Facts{Reason: e.Data.CancellationReason}
	if e.Data.RefundRequired {
		facts.Refund = e.Data.RefundAmount.String()
	}
	return s.tellOfKnown(ctx, tx, e.Envelope, e.Data.OrderID, facts)
}

func (s *Service) tellOfKnown(ctx context.Context, tx *store.Tx, e events.Envelope, id string, facts Facts) error {
	o, found, err := findOrder(ctx, tx, id)
	if err != nil {
		return err
	}
	if !found {
		return store.Ignore("the order's creation was never heard of: nobody knows whose it is")
	}
	return s.tellOrder(ctx, tx, e, o, facts)
}

func (s *Service) tellOrder(ctx context.Context, tx *store.Tx, e events.Envelope, o order, facts Facts) error {
	facts.OrderID, facts.Total, facts.Currency = o.id, o.total.String(), o.currency
	contact, found, err := findContact(ctx, tx, o.customer)
	if err != nil || !found {
		return err
	}
	return s.tell(ctx, tx, []target{contact.target()}, notice{event: e, subject: Orders, facts: facts})
}

// TellPrice tells those who watch a product its new price.
func (s *Service) TellPrice(ctx context.Context, tx *store.Tx, e events.Event[events.ProductPriceChanged]) error {
	watchers, err := findWatchers(ctx, tx, e.Data.ProductID)
	if err != nil {
		return err
	}
	facts := Facts{ProductID: e.Data.ProductID, OldPrice: e.Data.OldPrice.String(), NewPrice: e.Data.NewPrice.String(), From: e.Data.EffectiveDate}
	return s.tell(ctx, tx, watchers, notice{event: e.Envelope, subject: Products, facts: facts})
}

// TellOutOfStock tells those who watch a product, and staff, that there is none left.
func (s *Service) TellOutOfStock(ctx context.Context, tx *store.Tx, e events.Event[events.ProductOutOfStock]) error {
	watchers, err := findWatchers(ctx, tx, e.Data.ProductID)
	if err != nil {
		return err
	}
	facts := Facts{ProductID: e.Data.ProductID, LocationID: e.Data.LocationID}
	return s.tell(ctx, tx, append(watchers, s.Staff.targets()...), notice{event: e.Envelope, subject: Products, facts: facts})
}

// TellLowStock tells staff what runs low.
func (s *Service) TellLowStock(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryLowStockAlert]) error {
	facts := Facts{
		ProductID: e.Data.ProductID, LocationID: e.Data.LocationID, Quantity: &e.Data.CurrentQuantity, Threshold: &e.Data.Threshold, Level: e.Data.AlertLevel,
	}
	return s.tell(ctx, tx, s.Staff.targets(), notice{event: e.Envelope, subject: Products, facts: facts})
}

// order is what later events of an order are told with.
type order struct {
	id, customer, currency string
	total                  events.Money
}

func saveOrder(ctx context.Context, tx *store.Tx, o order) error {
	_, err := tx.Exec(ctx, "INSERT INTO orders (order_id, customer_id, total, currency) VALUES ($1, $2, $3, $4) ON CONFLICT (order_id) DO NOTHING", o.id, o.customer, int64(o.total), o.currency)
	return err
}

func findOrder(ctx context.Context, r store.Reader, id string) (order, bool, error) {
	return store.One(ctx, r, func(s store.Scanner) (o order, err error) {
		var total int64
		err = s.Scan(&o.id, &o.customer, &total, &o.currency)
		o.total = events.Money(total)
		return o, err
	}, "SELECT order_id, customer_id, total, currency FROM orders WHERE order_id = $1", id)
}
