package events

import (
	"time"
)

// OrderRefundRequested is the data of order.refund_requested. Published when money of a completed order is to go back.
type OrderRefundRequested struct {
	OrderID      string    `json:"order_id" rule:"id" doc:"Id of the order."`
	RefundAmount Money     `json:"refund_amount" doc:"What is to go back, in the order's currency, as a decimal string."`
	RefundReason string    `json:"refund_reason" rule:"text" doc:"Why, in the words of who asked."`
	RequestedBy  string    `json:"requested_by" rule:"text" doc:"Who asked for it, such as customer or staff."`
	RequestedAt  time.Time `json:"requested_at" doc:"When it was accepted."`
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
