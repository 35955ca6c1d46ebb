package events

import (
	"time"
)

// OrderRefunded is the data of order.refunded. Published when an order refund is processed.
type OrderRefunded struct {
	OrderID      string    `json:"order_id" rule:"id" doc:"Id of the order."`
	RefundID     string    `json:"refund_id" rule:"id" doc:"Id of the refund; one order may have several."`
	RefundAmount Money     `json:"refund_amount" doc:"What went back, in currency, as a decimal string."`
	RefundReason string    `json:"refund_reason" rule:"text" doc:"Why, such as order_cancelled."`
	RefundMethod string    `json:"refund_method" rule:"text" doc:"How it went back, such as original_payment_method."`
	ProcessedAt  time.Time `json:"processed_at" doc:"When the refund was processed."`
	CustomerID   string    `json:"customer_id,omitzero" rule:"id" doc:"Id of the customer who ordered."`
	Currency     string    `json:"currency,omitzero" rule:"currency" doc:"Currency of the amounts, ISO 4217."`
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
