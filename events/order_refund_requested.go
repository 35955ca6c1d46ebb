package events

import (
	"time"
)

// OrderRefundRequested is the data of order.refund_requested. Published when money of a completed order is to go back.
type OrderRefundRequested struct {
	OrderID      string    `json:"order_id" rule:"id"`
	RefundAmount Money     `json:"refund_amount"`
	RefundReason string    `json:"refund_reason" rule:"text"`
	RequestedBy  string    `json:"requested_by" rule:"text"`
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
func (p OrderRefundRequested) Validate() error { return Check(p) }
