package events

import (
	"time"
)

// PaymentFailed is the data of payment.failed. Published when an order will not be paid, or its authorisation was voided.
type PaymentFailed struct {
	OrderID  string    `json:"order_id" rule:"id" doc:"Id of the order."`
	Reason   string    `json:"reason" oneof:"declined provider_error voided" doc:"Why there is no payment; voided where an authorisation was given up."`
	Amount   Money     `json:"amount" doc:"What was to be paid, in currency, as a decimal string."`
	Currency string    `json:"currency" rule:"currency" doc:"Currency of the amounts, ISO 4217."`
	FailedAt time.Time `json:"failed_at" doc:"When it failed for good, or was voided."`
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
