package procurement

import (
	"context"
	"fmt"
	"time"

	"github.com/first-viscount/viscount/store"
)

// States of a purchase order. The first three are open.
const (
	Proposed  = "proposed"
	Approved  = "approved"
	Receiving = "receiving"
	Received  = "received"
	Cancelled = "cancelled"
)

// Statuses are all of them.
func Statuses() []string { return []string{Proposed, Approved, Receiving, Received, Cancelled} }

// PurchaseOrder is one purchase order as people see it.
type PurchaseOrder struct {
	PurchaseOrderID string    `json:"purchase_order_id"`
	ProductID       string    `json:"product_id"`
	LocationID      string    `json:"location_id"`
	Status          string    `json:"status"`
	Quantity        int64     `json:"quantity"`
	Received        int64     `json:"received"` // what the delivery brought
	Available       int64     `json:"available_at_alert"`
	Threshold       int64     `json:"threshold"`
	AlertLevel      string    `json:"alert_level"`
	Note            string    `json:"note,omitzero"`
	CorrelationID   string    `json:"correlation_id"`
	EventID         string    `json:"event_id"` // of the alert that it answers
	CreatedAt       time.Time `json:"created_at"`
	UpdatedAt       time.Time `json:"updated_at"`

	deliveries int64 // that inventory was asked to take in, refused ones included
}

const columns = "purchase_order_id, product_id, location_id, state, quantity, received, available, threshold, alert_level, note, deliveries, correlation, event_id, created_at, updated_at"

func scan(s store.Scanner) (p PurchaseOrder, err error) {
	var created, updated int64
	err = s.Scan(&p.PurchaseOrderID, &p.ProductID, &p.LocationID, &p.Status, &p.Quantity, &p.Received, &p.Available, &p.Threshold, &p.AlertLevel, &p.Note, &p.deliveries,
		&p.CorrelationID, &p.EventID, &created, &updated)
	p.CreatedAt, p.UpdatedAt = store.Time(created), store.Time(updated)
	return p, err
}

func find(ctx context.Context, r store.Reader, id string) (PurchaseOrder, bool, error) {
	return store.One(ctx, r, scan, "SELECT "+columns+" FROM purchase_orders WHERE purchase_order_id = $1", id)
}

func findOpen(ctx context.Context, r store.Reader, product, location string) (PurchaseOrder, bool, error) {
	return store.One(ctx, r, scan, "SELECT "+columns+" FROM purchase_orders WHERE product_id = $1 AND location_id = $2 AND state IN ('proposed', 'approved', 'receiving')", product, location)
}

func insert(ctx context.Context, tx *store.Tx, p PurchaseOrder) error {
	_, err := tx.Exec(ctx, "INSERT INTO purchase_orders ("+columns+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
		p.PurchaseOrderID, p.ProductID, p.LocationID, p.Status, p.Quantity, p.Received, p.Available, p.Threshold, p.AlertLevel, p.Note, p.deliveries,
		p.CorrelationID, p.EventID, store.Micros(p.CreatedAt), store.Micros(p.UpdatedAt))
	if err != nil {
		return fmt.Errorf("proposing to buy %s: %w", p.ProductID, err)
	}
	return nil
}

func save(ctx context.Context, tx *store.Tx, p PurchaseOrder) error {
	_, err := tx.Exec(ctx, `UPDATE purchase_orders SET state = $1, quantity = $2, received = $3, available = $4, threshold = $5, alert_level = $6, note = $7, deliveries = $8, updated_at = $9
		WHERE purchase_order_id = $10`,
		p.Status, p.Quantity, p.Received, p.Available, p.Threshold, p.AlertLevel, p.Note, p.deliveries, store.Micros(tx.Now()), p.PurchaseOrderID)
	if err != nil {
		return fmt.Errorf("saving %s: %w", p.PurchaseOrderID, err)
	}
	return nil
}
