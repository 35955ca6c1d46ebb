package events

import (
	"time"
)

// PaymentProcessed is the data of payment.processed. Published when the amount of an order is captured.
type PaymentProcessed struct {
	PaymentID   string    `json:"payment_id" rule:"id" doc:"Id of the payment of the order."`
	OrderID     string    `json:"order_id" rule:"id" doc:"Id of the order."`
	Amount      Money     `json:"amount" doc:"What was captured, in currency, as a decimal string."`
	Currency    string    `json:"currency" rule:"currency" doc:"Currency of the amounts, ISO 4217."`
	Method      string    `json:"method" rule:"text" doc:"How it was paid, as the provider names it."`
	ProcessedAt time.Time `json:"processed_at" doc:"When it was captured."`
}

// Contract implements Payload.
func (PaymentProcessed) Contract() Contract {
	return Contract{
		Type: "payment.processed", Version: "1.0", Key: "order_id",
		Publisher: PaymentsService, Consumers: []string{"orders", "accounting"},
		Retention: 400 * Day, Addition: true,
		Purpose: "Published when the amount of an order is captured.",
		When:    "After the provider captured the payment of a validated order.",
	}
}

// Validate implements Payload.
func (p PaymentProcessed) Validate() error { return Check(p) }
