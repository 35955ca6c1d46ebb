package events

import "time"

// InventoryReserved says that stock is held for one line of an order, or for whoever asked for the reservation.
type InventoryReserved struct {
	ReservationID string     `json:"reservation_id"`
	ProductID     string     `json:"product_id"`
	Quantity      int64      `json:"quantity"`
	LocationID    string     `json:"location_id,omitzero"`
	OrderID       string     `json:"order_id,omitzero"`
	ExpiresAt     *time.Time `json:"expires_at,omitzero"`
}

// Contract is the agreement on inventory.reserved.
func (InventoryReserved) Contract() Contract {
	return Contract{
		Type: TypeInventoryReserved, Version: "1.0", Key: "order_id|reservation_id",
		Publisher: InventoryService, Consumers: []string{"orders", "analytics"},
		Retention: stockRetention,
		Purpose:   "Published when inventory is reserved for an order.",
		When:      "After successful inventory reservation in database.",
	}
}

// Validate implements Payload.
func (r InventoryReserved) Validate() error {
	var c Checker
	c.ID("reservation_id", r.ReservationID)
	c.ID("product_id", r.ProductID)
	c.Positive("quantity", r.Quantity)
	c.OptionalID("location_id", r.LocationID)
	c.OptionalID("order_id", r.OrderID)
	c.OptionalTime("expires_at", r.ExpiresAt)
	return c.Err()
}
