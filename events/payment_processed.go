package events

import "time"

// PaymentProcessed says that the money of an order was captured.
type PaymentProcessed struct {
	PaymentID   string    `json:"payment_id"`
	OrderID     string    `json:"order_id"`
	Amount      Money     `json:"amount"`
	Currency    string    `json:"currency"`
	Method      string    `json:"method"`
	ProcessedAt time.Time `json:"processed_at"`
}

// Contract is the agreement on payment.processed.
func (PaymentProcessed) Contract() Contract {
	return Contract{
		Type: TypePaymentProcessed, Version: "1.0", Key: "order_id",
		Publisher: PaymentService, Consumers: []string{"orders", "accounting"},
		Retention: ledgerRetention,
		Purpose:   "Published when the payment of an order is captured.",
		When:      "After the provider's confirmation of the capture is recorded.",
		Addition:  true,
	}
}

// Validate implements Payload.
func (p PaymentProcessed) Validate() error {
	var c Checker
	c.ID("payment_id", p.PaymentID)
	c.ID("order_id", p.OrderID)
	c.Money("amount", p.Amount)
	c.Currency("currency", p.Currency)
	c.Text("method", p.Method)
	c.Time("processed_at", p.ProcessedAt)
	return c.Err()
}
