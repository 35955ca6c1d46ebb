package events

// InventoryReleased is the data of inventory.released. Published when a reserved inventory is released (order cancelled, expired reservation).
type InventoryReleased struct {
	ReservationID string `json:"reservation_id" rule:"id"`
	ProductID     string `json:"product_id" rule:"id"`
	Quantity      int64  `json:"quantity" rule:"positive"`
	LocationID    string `json:"location_id,omitzero" rule:"id"`
	Reason        string `json:"reason" rule:"text"`
	OrderID       string `json:"order_id,omitzero" rule:"id"`
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
func (p InventoryReleased) Validate() error { return Check(p) }
