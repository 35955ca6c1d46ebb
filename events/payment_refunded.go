package events

import "time"

// PaymentRefunded says that the provider sent captured money back.
type PaymentRefunded struct {
	PaymentID  string    `json:"payment_id"`
	RefundID   string    `json:"refund_id"`
	OrderID    string    `json:"order_id"`
	Amount     Money     `json:"amount"`
	Currency   string    `json:"currency"`
	Reason     string    `json:"reason"`
	Method     string    `json:"method"`
	RefundedAt time.Time `json:"refunded_at"`
}

// Contract is the agreement on payment.refunded.
func (PaymentRefunded) Contract() Contract {
	return Contract{
		Type: TypePaymentRefunded, Version: "1.0", Key: "order_id",
		Publisher: PaymentService, Consumers: []string{"orders", "accounting"},
		Follows:   []string{TypePaymentProcessed},
		Retention: ledgerRetention,
		Purpose:   "Published when captured money of an order is returned, in part or whole.",
		When:      "After the provider's confirmation of the refund is recorded.",
		Addition:  true,
	}
}

// Validate implements Payload.
func (p PaymentRefunded) Validate() error {
	var c Checker
	c.ID("payment_id", p.PaymentID)
	c.ID("refund_id", p.RefundID)
	c.ID("order_id", p.OrderID)
	c.Money("amount", p.Amount)
	c.Currency("currency", p.Currency)
	c.Text("reason", p.Reason)
	c.Text("method", p.Method)
	c.Time("refunded_at", p.RefundedAt)
	return c.Err()
}
