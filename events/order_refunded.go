package events

import "time"

// What the platform writes into refund_reason and refund_method. The fields are free text: others may write their own.
const (
	RefundOrderCancelled        = "order_cancelled"
	MethodOriginalPaymentMethod = "original_payment_method"
)

// OrderRefunded says that money of an order went back to the customer.
type OrderRefunded struct {
	OrderID      string    `json:"order_id"`
	RefundID     string    `json:"refund_id"`
	RefundAmount Money     `json:"refund_amount"`
	RefundReason string    `json:"refund_reason"`
	RefundMethod string    `json:"refund_method"`
	ProcessedAt  time.Time `json:"processed_at"`
	CustomerID   string    `json:"customer_id,omitzero" class:"personal"`
	Currency     string    `json:"currency,omitzero"`
}

// Contract is the agreement on order.refunded.
func (OrderRefunded) Contract() Contract {
	return Contract{
		Type: TypeOrderRefunded, Version: "1.0", Key: "order_id",
		Publisher: OrderService, Consumers: []string{"analytics", "customers", "accounting"},
		Retention: ledgerRetention,
		Purpose:   "Published when an order refund is processed.",
		When:      "After successful refund processing.",
	}
}

// Validate implements Payload.
func (o OrderRefunded) Validate() error {
	var c Checker
	c.ID("order_id", o.OrderID)
	c.ID("refund_id", o.RefundID)
	c.Money("refund_amount", o.RefundAmount)
	c.Text("refund_reason", o.RefundReason)
	c.Text("refund_method", o.RefundMethod)
	c.Time("processed_at", o.ProcessedAt)
	c.OptionalID("customer_id", o.CustomerID)
	c.OptionalCurrency("currency", o.Currency)
	return c.Err()
}
