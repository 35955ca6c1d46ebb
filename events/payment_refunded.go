package events

import (
	"time"
)

// PaymentRefunded is the data of payment.refunded. Published when captured money went back.
type PaymentRefunded struct {
	PaymentID  string    `json:"payment_id" rule:"id" doc:"Id of the payment that the money came from."`
	RefundID   string    `json:"refund_id" rule:"id" doc:"Id of the refund; one order may have several."`
	OrderID    string    `json:"order_id" rule:"id" doc:"Id of the order."`
	Amount     Money     `json:"amount" doc:"What went back, in currency, as a decimal string."`
	Currency   string    `json:"currency" rule:"currency" doc:"Currency of the amounts, ISO 4217."`
	Reason     string    `json:"reason" rule:"text" doc:"Why it went back."`
	Method     string    `json:"method" rule:"text" doc:"How it went back, as the provider names it."`
	RefundedAt time.Time `json:"refunded_at" doc:"When it went back."`
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
