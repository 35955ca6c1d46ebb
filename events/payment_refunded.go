package events

import (
	"time"
)

// PaymentRefunded is the data of payment.refunded. Published when captured money went back.
type PaymentRefunded struct {
	PaymentID  string    `json:"payment_id" rule:"id"`
	RefundID   string    `json:"refund_id" rule:"id"`
	OrderID    string    `json:"order_id" rule:"id"`
	Amount     Money     `json:"amount"`
	Currency   string    `json:"currency" rule:"currency"`
	Reason     string    `json:"reason" rule:"text"`
	Method     string    `json:"method" rule:"text"`
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
func (p PaymentRefunded) Validate() error { return Check(p) }
