package events

// InventoryReservationFailed is the data of inventory.reservation_failed. Published when the lines of an order cannot all be reserved.
type InventoryReservationFailed struct {
	OrderID string     `json:"order_id" rule:"id" doc:"Id of the order."`
	Reason  string     `json:"reason" oneof:"insufficient_stock unknown_product inactive_product" doc:"Why nothing is reserved."`
	Items   []Shortage `json:"items" doc:"The lines that could not be reserved; the others are not reserved either."`
}

// Contract implements Payload.
func (InventoryReservationFailed) Contract() Contract {
	return Contract{
		Type: "inventory.reservation_failed", Version: "1.0", Key: "order_id",
		Publisher: InventoryService, Consumers: []string{"orders", "analytics"},
		Retention: 30 * Day, Addition: true,
		Purpose: "Published when the lines of an order cannot all be reserved.",
		When:    "After the reservation was refused; nothing is reserved.",
	}
}

// Validate implements Payload.
func (p InventoryReservationFailed) Validate() error { return Check(p) }
