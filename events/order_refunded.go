package events

import (
	"time"
)

// OrderRefunded is the data of order.refunded. Published when an order refund is processed.
type OrderRefunded struct {
	OrderID      string    `json:"order_id"`
	RefundID     string    `json:"refund_id"`
	RefundAmount Money     `json:"refund_amount"`
	RefundReason string    `json:"refund_reason"`
	RefundMethod string    `json:"refund_method"`
	ProcessedAt  time.Time `json:"processed_at"`
	CustomerID   string    `json:"customer_id,omitzero"`
	Currency     string    `json:"currency,omitzero"`
}

// Contract implements Payload.
func (OrderRefunded) Contract() Contract {
	return Contract{
		Type: "order.refunded", Version: "1.0", Key: "order_id",
		Publisher: OrdersService, Consumers: []string{"analytics", "customers", "accounting"},
		Retention: 400 * Day,
		Purpose:   "Published when an order refund is processed.",
		When:      "After successful refund processing.",
	}
}

// Validate implements Payload.
func (p OrderRefunded) Validate() error {
	var c checker
	c.id("order_id", p.OrderID)
	c.id("refund_id", p.RefundID)
	c.money("refund_amount", p.RefundAmount)
	c.text("refund_reason", p.RefundReason)
	c.text("refund_method", p.RefundMethod)
	c.time("processed_at", p.ProcessedAt)
	c.optionalID("customer_id", p.CustomerID)
	if p.Currency != "" {
		c.currency("currency", p.Currency)
	}
	return c.err()
}
