// Package customers is the customer service: what each customer ordered, what that was worth, and the loyalty points of it.
package customers

import (
	"context"
	"embed"
	"fmt"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Migrations are the service's tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Projection are the tables that derive from events; what people asked for, the erasures, does not.
var Projection = []string{"orders"}

// Service holds the rules of customers.
//
// Everything is worked out from one row per order, which completion and refunds fill in any order. An order that was never
// completed counts for nothing: its money came back, but it was no revenue and earned no points (domain.md, "Invariants").
type Service struct{}

// CountOrder enters a completed order into its customer's history.
func (s *Service) CountOrder(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCompleted]) error {
	order := e.Data
	_, err := tx.Exec(ctx, `INSERT INTO orders (order_id, customer_id, currency, final, completed_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (order_id) DO UPDATE SET final = excluded.final, completed_at = excluded.completed_at,`+named,
		order.OrderID, order.CustomerID, order.Currency, int64(order.FinalAmount), store.Micros(order.CompletionTime))
	if err != nil {
		return fmt.Errorf("counting order %s: %w", order.OrderID, err)
	}
	return nil
}

// CountRefund takes money that went back off the order, whether its completion is known yet or not.
func (s *Service) CountRefund(ctx context.Context, tx *store.Tx, e events.Event[events.OrderRefunded]) error {
	refund := e.Data
	_, err := tx.Exec(ctx, `INSERT INTO orders (order_id, customer_id, currency, refunded, refunded_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (order_id) DO UPDATE SET refunded = orders.refunded + excluded.refunded,
			refunded_at = CASE WHEN orders.refunded_at > excluded.refunded_at THEN orders.refunded_at ELSE excluded.refunded_at END,`+named,
		refund.OrderID, refund.CustomerID, refund.Currency, int64(refund.RefundAmount), store.Micros(refund.ProcessedAt))
	if err != nil {
		return fmt.Errorf("counting a refund of %s: %w", refund.OrderID, err)
	}
	return nil
}

// named keeps customer and currency, which a foreign event may leave out, as soon as one event names them.
const named = `
			customer_id = CASE WHEN excluded.customer_id = '' THEN orders.customer_id ELSE excluded.customer_id END,
			currency = CASE WHEN excluded.currency = '' THEN orders.currency ELSE excluded.currency END`
