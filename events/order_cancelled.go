package events

import "time"

// The vocabulary of cancellation_reason.
const (
	CancelCustomerRequest    = "customer_request"
	CancelInsufficientStock  = "insufficient_stock"
	CancelProductUnavailable = "product_unavailable"
	CancelPriceMismatch      = "price_mismatch"
	CancelCustomerBlocked    = "customer_blocked"
	CancelPaymentDeclined    = "payment_declined"
	CancelFulfillmentFailed  = "fulfillment_failed"
	CancelReservationExpired = "reservation_expired"
)

// The vocabulary of cancelled_by.
const (
	ByCustomer = "customer"
	ByStaff    = "staff"
	BySystem   = "system"
)

// CancellationReasons lists the vocabulary of cancellation_reason.
func CancellationReasons() []string {
	return []string{
		CancelCustomerRequest, CancelInsufficientStock, CancelProductUnavailable, CancelPriceMismatch,
		CancelCustomerBlocked, CancelPaymentDeclined, CancelFulfillmentFailed, CancelReservationExpired,
	}
}

// OrderCancelled says that an order will not be completed.
type OrderCancelled struct {
	OrderID            string    `json:"order_id"`
	CancellationReason string    `json:"cancellation_reason"`
	CancelledBy        string    `json:"cancelled_by"`
	CancelledAt        time.Time `json:"cancelled_at"`
	RefundRequired     bool      `json:"refund_required"` // whether a payment was known when the order was cancelled
	RefundAmount       Money     `json:"refund_amount"`
}

// Contract is the agreement on order.cancelled.
func (OrderCancelled) Contract() Contract {
	return Contract{
		Type: TypeOrderCancelled, Version: "1.0", Key: "order_id",
		Publisher: OrderService, Consumers: []string{"inventory", "payments", "notifications", "fulfillment"},
		Follows:   []string{TypeOrderCreated},
		Retention: ledgerRetention,
		Purpose:   "Published when an order is cancelled.",
		When:      "After order cancellation processing and inventory release.",
	}
}

// Validate implements Payload.
func (o OrderCancelled) Validate() error {
	var c Checker
	c.ID("order_id", o.OrderID)
	c.OneOf("cancellation_reason", o.CancellationReason, CancellationReasons()...)
	c.OneOf("cancelled_by", o.CancelledBy, ByCustomer, ByStaff, BySystem)
	c.Time("cancelled_at", o.CancelledAt)
	c.Money("refund_amount", o.RefundAmount)
	return c.Err()
}
