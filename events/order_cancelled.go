package events

import (
	"time"
)

// OrderCancelled is the data of order.cancelled. Published when an order is cancelled.
type OrderCancelled struct {
	OrderID            string    `json:"order_id" rule:"id" doc:"Id of the order."`
	CancellationReason string    `json:"cancellation_reason" oneof:"customer_request insufficient_stock product_unavailable price_mismatch customer_blocked payment_declined fulfillment_failed reservation_expired" doc:"Why it was cancelled."`
	CancelledBy        string    `json:"cancelled_by" oneof:"customer staff system" doc:"Who cancelled it."`
	CancelledAt        time.Time `json:"cancelled_at" doc:"When it was cancelled."`
	RefundRequired     bool      `json:"refund_required" doc:"Whether money has to go back."`
	RefundAmount       Money     `json:"refund_amount" doc:"What has to go back, in the order's currency, as a decimal string; 0.00 for nothing."`
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
