package customers

import (
	"context"
	"database/sql"
	"time"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Status of an order in its customer's history.
const (
	Completed    = "completed"
	Refunded     = "refunded"      // completed, and all of it came back
	NotCompleted = "not_completed" // money came back, but the order was never completed
)

// Order is one order of a customer as people see it.
type Order struct {
	OrderID     string       `json:"order_id"`
	Status      string       `json:"status"`
	Currency    string       `json:"currency,omitzero"`
	Final       events.Money `json:"final_amount"`
	Refunded    events.Money `json:"refunded_amount"`
	Earned      int64        `json:"points_earned"`
	TakenBack   int64        `json:"points_taken_back"`
	CompletedAt *time.Time   `json:"completed_at,omitzero"`
	RefundedAt  *time.Time   `json:"refunded_at,omitzero"`
}

// worth is what of the order stays revenue.
func (o Order) worth() events.Money {
	if o.CompletedAt == nil {
		return 0
	}
	return max(o.Final-o.Refunded, 0)
}

// Points is the rule of loyalty: a point for every whole unit of the order's currency that was paid and kept. What comes
// back takes its points back, so that many small refunds cost the same as one large.
func Points(kept events.Money) int64 { return int64(kept / 100) }

// judge works out status and points from the amounts.
func (o *Order) judge() {
	switch {
	case o.CompletedAt == nil:
		o.Status = NotCompleted
		return
	case o.Refunded >= o.Final && o.RefundedAt != nil:
		o.Status = Refunded
	default:
		o.Status = Completed
	}
	o.Earned = Points(o.Final)
	o.TakenBack = o.Earned - Points(o.worth())
}

const columns = "order_id, currency, final, refunded, completed_at, refunded_at"

func scan(s store.Scanner) (o Order, err error) {
	var final, refunded int64
	var completed, refundedAt sql.NullInt64
	err = s.Scan(&o.OrderID, &o.Currency, &final, &refunded, &completed, &refundedAt)
	o.Final, o.Refunded = events.Money(final), events.Money(refunded)
	o.CompletedAt, o.RefundedAt = store.TimeOf(completed), store.TimeOf(refundedAt)
	o.judge()
	return o, err
}

// Orders reads a customer's orders by id, after one.
func (s *Service) Orders(ctx context.Context, r store.Reader, customer, after string, limit int) ([]Order, error) {
	return store.All(ctx, r, scan, "SELECT "+columns+" FROM orders WHERE customer_id = $1 AND order_id > $2 ORDER BY order_id LIMIT $3", customer, after, limit)
}
