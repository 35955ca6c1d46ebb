package events

import (
	"time"
)

// OrderRefundRequested is the data of order.refund_requested. Published when money of a completed order is to go back.
type OrderRefundRequested struct {
	OrderID      string    `json:"order_id"`
	RefundAmount Money     `json:"refund_amount"`
	RefundReason string    `json:"refund_reason"`
	RequestedBy  string    `json:"requested_by"`
	RequestedAt  time.Time `json:"requested_at"`
}

// Contract implements Payload.
func (OrderRefundRequested) Contract() Contract {
	return Contract{
		Type: "order.refund_requested", Version: "1.0", Key: "order_id",
		Publisher: OrdersService, Consumers: []string{"payments"},
		Retention: 400 * Day, Addition: true,
		Purpose: "Published when money of a completed order is to go back.",
		When:    "After a refund was accepted for a completed order.",
	}
}

// Validate implements Payload.
func (p OrderRefundRequested) Validate() error {
	var c checker
	c.id("order_id", p.OrderID)
	c.money("refund_amount", p.RefundAmount)
	c.text("refund_reason", p.RefundReason)
	c.text("requested_by", p.RequestedBy)
	c.time("requested_at", p.RequestedAt)
	return c.err()
}
