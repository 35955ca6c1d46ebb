package events

import (
	"time"
)

// PaymentRefunded is the data of payment.refunded. Published when captured money went back.
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

// Contract implements Payload.
func (PaymentRefunded) Contract() Contract {
	return Contract{
		Type: "payment.refunded", Version: "1.0", Key: "order_id",
		Publisher: PaymentsService, Consumers: []string{"orders", "accounting"}, Follows: []string{"payment.processed"},
		Retention: 400 * Day, Addition: true,
		Purpose: "Published when captured money went back.",
		When:    "After the provider refunded a payment, in part or whole.",
	}
}

// Validate implements Payload.
func (p PaymentRefunded) Validate() error {
	var c checker
	c.id("payment_id", p.PaymentID)
	c.id("refund_id", p.RefundID)
	c.id("order_id", p.OrderID)
	c.money("amount", p.Amount)
	c.currency("currency", p.Currency)
	c.text("reason", p.Reason)
	c.text("method", p.Method)
	c.time("refunded_at", p.RefundedAt)
	return c.err()
}
