package events

import (
	"time"
)

// InventoryReserved is the data of inventory.reserved. Published when inventory is reserved for an order.
type InventoryReserved struct {
	ReservationID string     `json:"reservation_id" rule:"id" doc:"Id of the reservation."`
	ProductID     string     `json:"product_id" rule:"id" doc:"Id of the product."`
	Quantity      int64      `json:"quantity" rule:"positive" doc:"Units that are set aside."`
	LocationID    string     `json:"location_id,omitzero" rule:"id" doc:"Id of the warehouse; the platform's default location if absent."`
	OrderID       string     `json:"order_id,omitzero" rule:"id" doc:"Id of the order that they are set aside for; absent for a reservation of no order."`
	ExpiresAt     *time.Time `json:"expires_at,omitzero" doc:"When the units are free again unless the order ships; never if absent."`
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
