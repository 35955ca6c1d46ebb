package events

// InventoryReservationFailed is the data of inventory.reservation_failed. Published when the lines of an order cannot all be reserved.
type InventoryReservationFailed struct {
	OrderID string     `json:"order_id"`
	Reason  string     `json:"reason"`
	Items   []Shortage `json:"items"`
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
func (p InventoryReservationFailed) Validate() error {
	var c checker
	c.id("order_id", p.OrderID)
	c.oneOf("reason", p.Reason, ReasonInsufficientStock, ReasonUnknownProduct, ReasonInactiveProduct)
	each(&c, "items", p.Items, func(c *checker, s Shortage) {
		c.id("product_id", s.ProductID)
		c.positive("requested", s.Requested)
		c.notNegative("available", s.Available)
		c.optionalID("location_id", s.LocationID)
	})
	return c.err()
}
