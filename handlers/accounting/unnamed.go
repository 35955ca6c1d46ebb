package accounting

import (
	"context"
	"fmt"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// currencyOf is the currency in which an order was paid.
func currencyOf(ctx context.Context, r store.Reader, order string) (string, bool, error) {
	e, found, err := store.One(ctx, r, scan, "SELECT "+columns+" FROM entries WHERE order_id = $1 AND debit = $2 LIMIT 1", order, Cash)
	return e.Currency, found, err
}

// keepUnnamed keeps a refund of unknown currency. Failing instead would hold up the key, and with it the payment that names it.
func keepUnnamed(ctx context.Context, tx *store.Tx, e Entry) error {
	_, err := tx.Exec(ctx, "INSERT INTO unnamed_refunds (entry_id, at, order_id, reference, amount) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (entry_id) DO NOTHING",
		e.EntryID, store.Micros(e.At), e.OrderID, e.Reference, int64(e.Amount))
	if err != nil {
		return fmt.Errorf("keeping a refund of %s without currency: %w", e.OrderID, err)
	}
	return nil
}

// postUnnamed posts what waited for the currency of an order.
func postUnnamed(ctx context.Context, tx *store.Tx, order, currency string) error {
	waiting, err := store.All(ctx, tx, func(s store.Scanner) (Entry, error) {
		e := Entry{EventType: events.OrderRefunded{}.Contract().Type, OrderID: order, Currency: currency, Debit: Refunds, Credit: RefundClearing}
		var at, amount int64
		err := s.Scan(&e.EntryID, &at, &e.Reference, &amount)
		e.At, e.Amount = store.Time(at), events.Money(amount)
		return e, err
	}, "SELECT entry_id, at, reference, amount FROM unnamed_refunds WHERE order_id = $1 ORDER BY entry_id", order)
	if err != nil || len(waiting) == 0 {
		return err
	}
	for _, e := range waiting {
		if err := post(ctx, tx, e); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "DELETE FROM unnamed_refunds WHERE order_id = $1", order)
	return err
}
