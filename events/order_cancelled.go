package events

import (
	"time"
)

// OrderCancelled is the data of order.cancelled. Published when an order is cancelled.
type OrderCancelled struct {
	OrderID            string    `json:"order_id" rule:"id"`
	CancellationReason string    `json:"cancellation_reason" oneof:"customer_request insufficient_stock product_unavailable price_mismatch customer_blocked payment_declined fulfillment_failed reservation_expired"`
	CancelledBy        string    `json:"cancelled_by" oneof:"customer staff system"`
	CancelledAt        time.Time `json:"cancelled_at"`
	RefundRequired     bool      `json:"refund_required"`
	RefundAmount       Money     `json:"refund_amount"`
}

// Contract implements Payload.
func (OrderCancelled) Contract() Contract {
	return Contract{
		Type: "order.cancelled", Version: "1.0", Key: "order_id",
		Publisher: OrdersService, Consumers: []string{"inventory", "payments", "notifications", "fulfillment"}, Follows: []string{"order.created"},
		Retention: 400 * Day,
		Purpose:   "Published when an order is cancelled.",
		When:      "After order cancellation processing and inventory release.",
	}
}

// Validate implements Payload.
func (p OrderCancelled) Validate() error { return Check(p) }
