package events

import "time"

// FulfillmentCompleted says that the goods of an order were handed to a carrier.
type FulfillmentCompleted struct {
	FulfillmentID  string    `json:"fulfillment_id"`
	OrderID        string    `json:"order_id"`
	LocationID     string    `json:"location_id,omitzero"`
	Carrier        string    `json:"carrier,omitzero"`
	TrackingNumber string    `json:"tracking_number,omitzero" class:"personal"`
	CompletedAt    time.Time `json:"completed_at"`
}

// Contract is the agreement on fulfillment.completed.
func (FulfillmentCompleted) Contract() Contract {
	return Contract{
		Type: TypeFulfillmentCompleted, Version: "1.0", Key: "order_id",
		Publisher: FulfillmentService, Consumers: []string{"orders"},
		Retention: ledgerRetention,
		Purpose:   "Published when an order's goods are prepared and handed over.",
		When:      "After the handover is confirmed and recorded.",
		Addition:  true,
	}
}

// Validate implements Payload.
func (f FulfillmentCompleted) Validate() error {
	var c Checker
	c.ID("fulfillment_id", f.FulfillmentID)
	c.ID("order_id", f.OrderID)
	c.OptionalID("location_id", f.LocationID)
	c.OptionalText("carrier", f.Carrier)
	c.OptionalText("tracking_number", f.TrackingNumber)
	c.Time("completed_at", f.CompletedAt)
	return c.Err()
}
