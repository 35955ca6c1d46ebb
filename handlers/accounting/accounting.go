// Package accounting is the accounting service: a double-entry ledger of what payments took and gave back, and of the
// refunds that orders granted.
package accounting

import (
	"context"
	"embed"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Migrations are the service's tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Projection are the tables that derive from events. Of the journal only open periods are filled again: Kept are the entries of
// closed ones, which never change, and what was closed.
var (
	Projection = []string{"entries", "unnamed_refunds"}
	Kept       = []store.Rows{{Table: "closed_periods"}, {Table: "entries", Where: "period <= (SELECT MAX(period) FROM closed_periods)"}}
)

// Service holds the rules of accounting.
type Service struct{}

// PostPayment books money that a customer paid.
func (s *Service) PostPayment(ctx context.Context, tx *store.Tx, e events.Event[events.PaymentProcessed]) error {
	p := e.Data
	err := post(ctx, tx, Entry{
		EntryID: e.EventID.String(), EventType: e.EventType, At: p.ProcessedAt, OrderID: p.OrderID, Reference: p.PaymentID,
		Currency: p.Currency, Amount: p.Amount, Debit: Cash, Credit: Sales,
	})
	if err != nil {
		return err
	}
	return postUnnamed(ctx, tx, p.OrderID, p.Currency)
}

// PostRefund books money that went back to a customer, until the order's refund says why.
func (s *Service) PostRefund(ctx context.Context, tx *store.Tx, e events.Event[events.PaymentRefunded]) error {
	p := e.Data
	return post(ctx, tx, Entry{
		EntryID: e.EventID.String(), EventType: e.EventType, At: p.RefundedAt, OrderID: p.OrderID, Reference: p.RefundID,
		Currency: p.Currency, Amount: p.Amount, Debit: RefundClearing, Credit: Cash,
	})
}

// ReconcileRefund books the refund that the order granted against the money that went back: what is left on the clearing
// account are the refunds that only one of the two knows. Either may come first.
func (s *Service) ReconcileRefund(ctx context.Context, tx *store.Tx, e events.Event[events.OrderRefunded]) error {
	o := e.Data
	entry := Entry{
		EntryID: e.EventID.String(), EventType: e.EventType, At: o.ProcessedAt, OrderID: o.OrderID, Reference: o.RefundID,
		Currency: o.Currency, Amount: o.RefundAmount, Debit: Refunds, Credit: RefundClearing,
	}
	if entry.Currency == "" { // optional in the contract: the order's payment names it, now or later
		currency, known, err := currencyOf(ctx, tx, o.OrderID)
		if err != nil {
			return err
		}
		if !known {
			return keepUnnamed(ctx, tx, entry)
		}
		entry.Currency = currency
	}
	return post(ctx, tx, entry)
}
