package events

// InventoryReleased is the data of inventory.released. Published when a reserved inventory is released (order cancelled, expired reservation).
type InventoryReleased struct {
	ReservationID string `json:"reservation_id" rule:"id" doc:"Id of the reservation."`
	ProductID     string `json:"product_id" rule:"id" doc:"Id of the product."`
	Quantity      int64  `json:"quantity" rule:"positive" doc:"Units that are free again."`
	LocationID    string `json:"location_id,omitzero" rule:"id" doc:"Id of the warehouse; the platform's default location if absent."`
	Reason        string `json:"reason" rule:"text" doc:"Why they are free again, such as order_cancelled or expired."`
	OrderID       string `json:"order_id,omitzero" rule:"id" doc:"Id of the order that they were set aside for; absent for a reservation of no order."`
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
