package events

import (
	"time"
)

// InventoryReserved is the data of inventory.reserved. Published when inventory is reserved for an order.
type InventoryReserved struct {
	ReservationID string     `json:"reservation_id" rule:"id"`
	ProductID     string     `json:"product_id" rule:"id"`
	Quantity      int64      `json:"quantity" rule:"positive"`
	LocationID    string     `json:"location_id,omitzero" rule:"id"`
	OrderID       string     `json:"order_id,omitzero" rule:"id"`
	ExpiresAt     *time.Time `json:"expires_at,omitzero"`
}

// Contract implements Payload.
func (InventoryReserved) Contract() Contract {
	return Contract{
		Type: "inventory.reserved", Version: "1.0", Key: "order_id|reservation_id",
		Publisher: InventoryService, Consumers: []string{"orders", "analytics"},
		Retention: 30 * Day,
		Purpose:   "Published when inventory is reserved for an order.",
		When:      "After successful inventory reservation in database.",
	}
}

// Validate implements Payload.
func (p InventoryReserved) Validate() error { return Check(p) }
