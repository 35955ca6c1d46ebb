package events

import (
	"time"
)

// PaymentFailed is the data of payment.failed. Published when an order will not be paid, or its authorisation was voided.
type PaymentFailed struct {
	OrderID  string    `json:"order_id" rule:"id"`
	Reason   string    `json:"reason" oneof:"declined provider_error voided"`
	Amount   Money     `json:"amount"`
	Currency string    `json:"currency" rule:"currency"`
	FailedAt time.Time `json:"failed_at"`
}

// Contract implements Payload.
func (PaymentFailed) Contract() Contract {
	return Contract{
		Type: "payment.failed", Version: "1.0", Key: "order_id",
		Publisher: PaymentsService, Consumers: []string{"orders"},
		Retention: 400 * Day, Addition: true,
		Purpose: "Published when an order will not be paid, or its authorisation was voided.",
		When:    "After the provider declined, failed for good, or a cancelled order was voided.",
	}
}

// Validate implements Payload.
func (p PaymentFailed) Validate() error { return Check(p) }
