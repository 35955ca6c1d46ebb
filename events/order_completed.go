package events

import (
	"time"
)

// OrderCompleted is the data of order.completed. Published when an order is fully completed (paid and fulfilled).
type OrderCompleted struct {
	OrderID        string    `json:"order_id"`
	CompletionTime time.Time `json:"completion_time"`
	PaymentID      string    `json:"payment_id"`
	FulfillmentID  string    `json:"fulfillment_id"`
	FinalAmount    Money     `json:"final_amount"`
	CustomerID     string    `json:"customer_id,omitzero"`
	Currency       string    `json:"currency,omitzero"`
}

// Contract implements Payload.
func (OrderCompleted) Contract() Contract {
	return Contract{
		Type: "order.completed", Version: "1.0", Key: "order_id",
		Publisher: OrdersService, Consumers: []string{"analytics", "customers", "inventory"}, Follows: []string{"order.created"},
		Retention: 400 * Day,
		Purpose:   "Published when an order is fully completed (paid and fulfilled).",
		When:      "After payment confirmation and fulfillment completion.",
	}
}

// Validate implements Payload.
func (p OrderCompleted) Validate() error {
	var c checker
	c.id("order_id", p.OrderID)
	c.time("completion_time", p.CompletionTime)
	c.id("payment_id", p.PaymentID)
	c.id("fulfillment_id", p.FulfillmentID)
	c.money("final_amount", p.FinalAmount)
	c.optionalID("customer_id", p.CustomerID)
	if p.Currency != "" {
		c.currency("currency", p.Currency)
	}
	return c.err()
}
