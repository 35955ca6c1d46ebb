package events

import (
	"time"
)

// OrderCancelled is the data of order.cancelled. Published when an order is cancelled.
type OrderCancelled struct {
	OrderID            string    `json:"order_id"`
	CancellationReason string    `json:"cancellation_reason"`
	CancelledBy        string    `json:"cancelled_by"`
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
func (p OrderCancelled) Validate() error {
	var c checker
	c.id("order_id", p.OrderID)
	c.oneOf("cancellation_reason", p.CancellationReason, ReasonCustomerRequest, ReasonInsufficientStock, ReasonProductUnavailable, ReasonPriceMismatch, ReasonCustomerBlocked, ReasonPaymentDeclined, ReasonFulfillmentFailed, ReasonReservationExpired)
	c.oneOf("cancelled_by", p.CancelledBy, ByCustomer, ByStaff, BySystem)
	c.time("cancelled_at", p.CancelledAt)
	c.money("refund_amount", p.RefundAmount)
	return c.err()
}
