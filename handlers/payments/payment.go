package payments

import (
	"context"
	"fmt"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Payment is one order's payment as people see it.
type Payment struct {
	PaymentID  string       `json:"payment_id"`
	OrderID    string       `json:"order_id"`
	Status     string       `json:"status"`
	Currency   string       `json:"currency"`
	Authorised events.Money `json:"authorised"` // what is held but not taken
	Captured   events.Money `json:"captured"`
	Refunded   events.Money `json:"refunded"`

	amount               events.Money
	correlation          string
	validated, cancelled bool
}

const columns = "order_id, payment_id, correlation, currency, amount, state, captured, refunded, validated, cancelled"

func scan(s store.Scanner) (p Payment, err error) {
	var amount, captured, refunded int64
	err = s.Scan(&p.OrderID, &p.PaymentID, &p.correlation, &p.Currency, &amount, &p.Status, &captured, &refunded, &p.validated, &p.cancelled)
	p.amount, p.Captured, p.Refunded = events.Money(amount), events.Money(captured), events.Money(refunded)
	if p.Status == Authorised || p.Status == Capturing {
		p.Authorised = p.amount
	}
	return p, err
}

func find(ctx context.Context, r store.Reader, order string) (Payment, bool, error) {
	return store.One(ctx, r, scan, "SELECT "+columns+" FROM payments WHERE order_id = $1", order)
}

// paymentOf finds the payment that an event is about; an event about none of ours is ignored.
func paymentOf(ctx context.Context, tx *store.Tx, order string) (Payment, error) {
	p, found, err := find(ctx, tx, order)
	if err == nil && !found {
		err = store.Ignore("no payment was opened for the order")
	}
	return p, err
}

func insert(ctx context.Context, tx *store.Tx, p Payment) error {
	_, err := tx.Exec(ctx, "INSERT INTO payments (order_id, payment_id, correlation, currency, amount, state) VALUES ($1, $2, $3, $4, $5, $6)",
		p.OrderID, p.PaymentID, p.correlation, p.Currency, int64(p.amount), p.Status)
	return err
}

func save(ctx context.Context, tx *store.Tx, p Payment) error {
	_, err := tx.Exec(ctx, "UPDATE payments SET state = $1, captured = $2, refunded = $3, validated = $4, cancelled = $5 WHERE order_id = $6",
		p.Status, int64(p.Captured), int64(p.Refunded), store.Bit(p.validated), store.Bit(p.cancelled), p.OrderID)
	if err != nil {
		return fmt.Errorf("saving the payment of %s: %w", p.OrderID, err)
	}
	return nil
}

// List reads payments (of one order, unless order is "") after an order id.
func (s *Service) List(ctx context.Context, r store.Reader, order, after string, limit int) ([]Payment, error) {
	if order != "" {
		return store.All(ctx, r, scan, "SELECT "+columns+" FROM payments WHERE order_id = $1 AND order_id > $2 LIMIT $3", order, after, limit)
	}
	return store.All(ctx, r, scan, "SELECT "+columns+" FROM payments WHERE order_id > $1 ORDER BY order_id LIMIT $2", after, limit)
}
