package events

import "fmt"

// The vocabulary of update_type.
const (
	UpdateReservation = "reservation"
	UpdateRelease     = "release"
	UpdateAdjustment  = "adjustment"
	UpdateRestock     = "restock"
	UpdateManual      = "manual"
	UpdateShipment    = "shipment" // ours: an order was completed and its goods left
)

// InventoryUpdated carries a product's stock at a location after any change.
type InventoryUpdated struct {
	ProductID         string `json:"product_id"`
	LocationID        string `json:"location_id,omitzero"`
	Quantity          int64  `json:"quantity"`                    // on hand
	ReservedQuantity  *int64 `json:"reserved_quantity,omitzero"`  // held for orders
	AvailableQuantity *int64 `json:"available_quantity,omitzero"` // quantity − reserved_quantity
	UpdateType        string `json:"update_type"`
	SourceEvent       string `json:"source_event,omitzero"`
}

// Contract is the agreement on inventory.updated.
func (InventoryUpdated) Contract() Contract {
	return Contract{
		Type: TypeInventoryUpdated, Version: "1.0", Key: "product_id",
		Publisher: InventoryService, Consumers: []string{"analytics", "catalog"},
		Retention: stockRetention,
		Purpose:   "Published for general inventory updates not covered by specific events.",
		When:      "After any significant inventory change (restocking, manual updates).",
	}
}

// Validate implements Payload.
func (u InventoryUpdated) Validate() error {
	var c Checker
	c.ID("product_id", u.ProductID)
	c.OptionalID("location_id", u.LocationID)
	c.Count("quantity", u.Quantity)
	c.OptionalCount("reserved_quantity", u.ReservedQuantity)
	c.OptionalCount("available_quantity", u.AvailableQuantity)
	c.OneOf("update_type", u.UpdateType,
		UpdateReservation, UpdateRelease, UpdateAdjustment, UpdateRestock, UpdateManual, UpdateShipment)
	c.OptionalText("source_event", u.SourceEvent)
	if u.ReservedQuantity != nil && u.AvailableQuantity != nil {
		if want := u.Quantity - *u.ReservedQuantity; *u.AvailableQuantity != want {
			c.Problem("available_quantity", CodeInvalidValue,
				fmt.Sprintf("is %d; give quantity − reserved_quantity, which is %d", *u.AvailableQuantity, want))
		}
	}
	return c.Err()
}
