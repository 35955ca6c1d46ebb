package events

import (
	"time"
)

// FulfillmentFailed is the data of fulfillment.failed. Published when an order cannot be fulfilled.
type FulfillmentFailed struct {
	OrderID  string    `json:"order_id" rule:"id" doc:"Id of the order."`
	Reason   string    `json:"reason" rule:"text" doc:"Why, as the provider says it."`
	FailedAt time.Time `json:"failed_at" doc:"When it failed for good."`
}

// Contract implements Payload.
func (FulfillmentFailed) Contract() Contract {
	return Contract{
		Type: "fulfillment.failed", Version: "1.0", Key: "order_id",
		Publisher: FulfillmentService, Consumers: []string{"orders"},
		Retention: 400 * Day, Addition: true,
		Purpose: "Published when an order cannot be fulfilled.",
		When:    "After the provider failed for good.",
	}
}

// Validate implements Payload.
func (p FulfillmentFailed) Validate() error { return Check(p) }
