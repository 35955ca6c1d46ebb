// Package procurement is the procurement service: it proposes to buy what runs low, and has what was delivered taken into stock.
package procurement

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

// Inventory takes delivered goods into stock. Calls come at least once: the same key must raise the stock once.
type Inventory interface {
	Restock(ctx context.Context, d Delivery) (Answer, error)
}

// Service holds the rules of procurement.
type Service struct {
	Inventory       Inventory
	DefaultLocation string
	OrderUpTo       int64 // a purchase order fills the stock up to so many times its threshold
}

// Propose answers a low stock alert with a purchase order that waits for approval. While one is open for the product and
// location there is no second one; a proposal grows with what has run out since.
func (s *Service) Propose(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryLowStockAlert]) error {
	alert := e.Data
	if alert.LocationID == "" {
		alert.LocationID = s.DefaultLocation
	}
	open, found, err := findOpen(ctx, tx, alert.ProductID, alert.LocationID)
	if err != nil {
		return err
	}
	quantity := s.quantity(alert)
	switch {
	case !found:
		return insert(ctx, tx, PurchaseOrder{
			PurchaseOrderID: tx.NewID("po"), ProductID: alert.ProductID, LocationID: alert.LocationID, Status: Proposed, Quantity: quantity,
			Available: alert.CurrentQuantity, Threshold: alert.Threshold, AlertLevel: alert.AlertLevel,
			CorrelationID: e.CorrelationID, EventID: e.EventID.String(), CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
		})
	case open.Status != Proposed:
		return store.Ignore("a purchase order for the product and location is " + open.Status)
	case quantity <= open.Quantity:
		return store.Ignore("a purchase order for as much is proposed already")
	}
	open.Quantity, open.Available, open.Threshold, open.AlertLevel = quantity, alert.CurrentQuantity, alert.Threshold, alert.AlertLevel
	return save(ctx, tx, open)
}

// quantity is the rule: fill the stock up to OrderUpTo times the threshold, with one piece at least.
func (s *Service) quantity(alert events.InventoryLowStockAlert) int64 {
	return max(1, s.OrderUpTo*alert.Threshold-alert.CurrentQuantity)
}

// RestockJob is the kind of the job that asks inventory to take goods in.
const RestockJob = "restock"

// Delivery is what has arrived for a purchase order.
type Delivery struct {
	PurchaseOrderID string    `json:"purchase_order_id"`
	ProductID       string    `json:"product_id"`
	LocationID      string    `json:"location_id"`
	Quantity        int64     `json:"quantity"`
	Key             string    `json:"key"` // idempotency key
	At              time.Time `json:"at"`
	CorrelationID   string    `json:"correlation_id"`
}

// Answer is what inventory says to a delivery.
type Answer struct {
	Refused string // why the goods are not in stock; empty if they are
}

// AskRestock asks inventory, outside of any transaction.
func (s *Service) AskRestock(ctx context.Context, d Delivery) (Answer, error) {
	return s.Inventory.Restock(ctx, d)
}

// RecordRestock closes a purchase order whose goods are in stock. One that inventory refused is approved again, with the reason,
// so that a person can cancel it or try again.
func (s *Service) RecordRestock(ctx context.Context, tx *store.Tx, d Delivery, answer Answer) error {
	p, found, err := find(ctx, tx, d.PurchaseOrderID)
	if err != nil || !found || p.Status != Receiving {
		return err
	}
	if answer.Refused != "" {
		p.Status, p.Received, p.Note = Approved, 0, "inventory refused the delivery: "+answer.Refused
		return save(ctx, tx, p)
	}
	p.Status, p.Note = Received, ""
	if err := save(ctx, tx, p); err != nil {
		return fmt.Errorf("closing %s: %w", p.PurchaseOrderID, err)
	}
	return nil
}
