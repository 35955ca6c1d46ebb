package customers

import (
	"context"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Customer is what all orders of a customer come to.
type Customer struct {
	CustomerID string  `json:"customer_id"`
	Points     Loyalty `json:"points"`
	Value      []Value `json:"lifetime_value"`
}

// Loyalty are the points of a customer: balance = earned − taken back.
type Loyalty struct {
	Balance   int64 `json:"balance"`
	Earned    int64 `json:"earned"`
	TakenBack int64 `json:"taken_back"`
}

// Value is what a customer's completed orders of one currency are worth: net = final − refunded.
type Value struct {
	Currency string       `json:"currency,omitzero"`
	Orders   int64        `json:"orders"`
	Final    events.Money `json:"final_amount"`
	Refunded events.Money `json:"refunded_amount"`
	Net      events.Money `json:"net_amount"`
}

// totals sums up completed orders by currency. Points are counted order by order, as people see them there.
const totals = `SELECT currency, COUNT(*), CAST(SUM(final) AS BIGINT), CAST(SUM(refunded) AS BIGINT),
		CAST(SUM(final / 100) AS BIGINT), CAST(SUM((CASE WHEN refunded > final THEN 0 ELSE final - refunded END) / 100) AS BIGINT)
	FROM orders WHERE customer_id = $1 AND completed_at IS NOT NULL GROUP BY currency ORDER BY currency`

// Get reads a customer who has had an order.
func (s *Service) Get(ctx context.Context, r store.Reader, id string) (Customer, error) {
	c := Customer{CustomerID: id, Value: []Value{}}
	_, known, err := store.One(ctx, r, scan, "SELECT "+columns+" FROM orders WHERE customer_id = $1 LIMIT 1", id)
	if err != nil {
		return c, err
	}
	if !known {
		return c, store.Refuse(store.NotFound, "", "no order of a customer %s has been completed or refunded", id)
	}
	var left int64
	values, err := store.All(ctx, r, func(s store.Scanner) (v Value, err error) {
		var final, refunded, earned, kept int64
		err = s.Scan(&v.Currency, &v.Orders, &final, &refunded, &earned, &kept)
		v.Final, v.Refunded = events.Money(final), events.Money(refunded)
		v.Net = max(v.Final-v.Refunded, 0)
		c.Points.Earned += earned
		left += kept
		return v, err
	}, totals, id)
	c.Value = append(c.Value, values...)
	c.Points.Balance, c.Points.TakenBack = left, c.Points.Earned-left
	return c, err
}
