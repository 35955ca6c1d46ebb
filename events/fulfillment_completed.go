package events

import (
	"time"
)

// FulfillmentCompleted is the data of fulfillment.completed. Published when the goods of an order are handed to the carrier.
type FulfillmentCompleted struct {
	FulfillmentID  string    `json:"fulfillment_id" rule:"id" doc:"Id of the fulfilment of the order."`
	OrderID        string    `json:"order_id" rule:"id" doc:"Id of the order."`
	LocationID     string    `json:"location_id,omitzero" rule:"id" doc:"Id of the warehouse that sent the goods; the platform's default location if absent."`
	Carrier        string    `json:"carrier,omitzero" doc:"Who carries the goods."`
	TrackingNumber string    `json:"tracking_number,omitzero" doc:"The carrier's number to follow them by."`
	CompletedAt    time.Time `json:"completed_at" doc:"When the goods were handed over."`
}

// Contract implements Payload.
func (FulfillmentCompleted) Contract() Contract {
	return Contract{
		Type: "fulfillment.completed", Version: "1.0", Key: "order_id",
		Publisher: FulfillmentService, Consumers: []string{"orders"},
		Retention: 400 * Day, Addition: true,
		Purpose: "Published when the goods of an order are handed to the carrier.",
		When:    "After the provider completed the fulfillment of a validated order.",
	}
}

// Validate implements Payload.
func (p FulfillmentCompleted) Validate() error { return Check(p) }
