package events

import "time"

// The vocabulary of the reason of payment.failed.
const (
	PaymentDeclined      = "declined"
	PaymentProviderError = "provider_error"
	PaymentVoided        = "voided" // the order was cancelled before anything was captured
)

// PaymentFailed says that an order's money was not captured and will not be.
type PaymentFailed struct {
	OrderID  string    `json:"order_id"`
	Reason   string    `json:"reason"`
	Amount   Money     `json:"amount"`
	Currency string    `json:"currency"`
	FailedAt time.Time `json:"failed_at"`
}

// Contract is the agreement on payment.failed.
func (PaymentFailed) Contract() Contract {
	return Contract{
		Type: TypePaymentFailed, Version: "1.0", Key: "order_id",
		Publisher: PaymentService, Consumers: []string{"orders"},
		Retention: ledgerRetention,
		Purpose:   "Published when the payment of an order is declined, fails or is voided.",
		When:      "After the provider's refusal, or the cancellation of what was only authorised, is recorded.",
		Addition:  true,
	}
}

// Validate implements Payload.
func (p PaymentFailed) Validate() error {
	var c Checker
	c.ID("order_id", p.OrderID)
	c.OneOf("reason", p.Reason, PaymentDeclined, PaymentProviderError, PaymentVoided)
	c.Money("amount", p.Amount)
	c.Currency("currency", p.Currency)
	c.Time("failed_at", p.FailedAt)
	return c.Err()
}
