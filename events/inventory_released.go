package events

// InventoryReleased is the data of inventory.released. Published when a reserved inventory is released (order cancelled, expired reservation).
type InventoryReleased struct {
	ReservationID string `json:"reservation_id"`
	ProductID     string `json:"product_id"`
	Quantity      int64  `json:"quantity"`
	LocationID    string `json:"location_id,omitzero"`
	Reason        string `json:"reason"`
	OrderID       string `json:"order_id,omitzero"`
}

// Contract implements Payload.
func (InventoryReleased) Contract() Contract {
	return Contract{
		Type: "inventory.released", Version: "1.0", Key: "order_id|reservation_id",
		Publisher: InventoryService, Consumers: []string{"orders", "analytics"},
		Retention: 30 * Day,
		Purpose:   "Published when a reserved inventory is released (order cancelled, expired reservation).",
		When:      "After successful inventory release in database.",
	}
}

// Validate implements Payload.
func (p InventoryReleased) Validate() error {
	var c checker
	c.id("reservation_id", p.ReservationID)
	c.id("product_id", p.ProductID)
	c.positive("quantity", p.Quantity)
	c.optionalID("location_id", p.LocationID)
	c.text("reason", p.Reason)
	c.optionalID("order_id", p.OrderID)
	return c.err()
}
