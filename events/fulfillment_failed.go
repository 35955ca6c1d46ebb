package events

import "time"

// FulfillmentFailed says that an order's goods cannot be prepared.
type FulfillmentFailed struct {
	OrderID  string    `json:"order_id"`
	Reason   string    `json:"reason"` // free text
	FailedAt time.Time `json:"failed_at"`
}

// Contract is the agreement on fulfillment.failed.
func (FulfillmentFailed) Contract() Contract {
	return Contract{
		Type: TypeFulfillmentFailed, Version: "1.0", Key: "order_id",
		Publisher: FulfillmentService, Consumers: []string{"orders"},
		Retention: ledgerRetention,
		Purpose:   "Published when an order's goods cannot be prepared.",
		When:      "After the failure is final and recorded.",
		Addition:  true,
	}
}

// Validate implements Payload.
func (f FulfillmentFailed) Validate() error {
	var c Checker
	c.ID("order_id", f.OrderID)
	c.Text("reason", f.Reason)
	c.Time("failed_at", f.FailedAt)
	return c.Err()
}
