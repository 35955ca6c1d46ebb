package events

// Reasons for a release that the platform gives. The field is free text: others may give their own.
const (
	ReleaseOrderCancelled = "order_cancelled"
	ReleaseExpired        = "expired"
)

// InventoryReleased says that held stock is available again.
type InventoryReleased struct {
	ReservationID string `json:"reservation_id"`
	ProductID     string `json:"product_id"`
	Quantity      int64  `json:"quantity"`
	LocationID    string `json:"location_id,omitzero"`
	Reason        string `json:"reason"`
	OrderID       string `json:"order_id,omitzero"`
}

// Contract is the agreement on inventory.released.
func (InventoryReleased) Contract() Contract {
	return Contract{
		Type: TypeInventoryReleased, Version: "1.0", Key: "order_id|reservation_id",
		Publisher: InventoryService, Consumers: []string{"orders", "analytics"},
		Retention: stockRetention,
		Purpose:   "Published when a reserved inventory is released (order cancelled, expired reservation).",
		When:      "After successful inventory release in database.",
	}
}

// Validate implements Payload.
func (r InventoryReleased) Validate() error {
	var c Checker
	c.ID("reservation_id", r.ReservationID)
	c.ID("product_id", r.ProductID)
	c.Positive("quantity", r.Quantity)
	c.OptionalID("location_id", r.LocationID)
	c.Text("reason", r.Reason)
	c.OptionalID("order_id", r.OrderID)
	return c.Err()
}
