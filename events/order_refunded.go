package events

import (
	"time"
)

// OrderRefunded is the data of order.refunded. Published when an order refund is processed.
type OrderRefunded struct {
	OrderID      string    `json:"order_id" rule:"id"`
	RefundID     string    `json:"refund_id" rule:"id"`
	RefundAmount Money     `json:"refund_amount"`
	RefundReason string    `json:"refund_reason" rule:"text"`
	RefundMethod string    `json:"refund_method" rule:"text"`
	ProcessedAt  time.Time `json:"processed_at"`
	CustomerID   string    `json:"customer_id,omitzero" rule:"id"`
	Currency     string    `json:"currency,omitzero" rule:"currency"`
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
func (p OrderRefunded) Validate() error { return Check(p) }
