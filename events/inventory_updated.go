package events

// InventoryUpdated is the data of inventory.updated. Published for general inventory updates not covered by specific events.
type InventoryUpdated struct {
	ProductID         string `json:"product_id"`
	LocationID        string `json:"location_id,omitzero"`
	Quantity          int64  `json:"quantity"`
	ReservedQuantity  *int64 `json:"reserved_quantity,omitzero"`
	AvailableQuantity *int64 `json:"available_quantity,omitzero"`
	UpdateType        string `json:"update_type"`
	SourceEvent       string `json:"source_event,omitzero"`
}

// Contract implements Payload.
func (InventoryUpdated) Contract() Contract {
	return Contract{
		Type: "inventory.updated", Version: "1.0", Key: "product_id",
		Publisher: InventoryService, Consumers: []string{"analytics", "catalog"},
		Retention: 30 * Day,
		Purpose:   "Published for general inventory updates not covered by specific events.",
		When:      "After any significant inventory change (restocking, manual updates).",
	}
}

// Validate implements Payload.
func (p InventoryUpdated) Validate() error {
	var c checker
	c.id("product_id", p.ProductID)
	c.optionalID("location_id", p.LocationID)
	c.notNegative("quantity", p.Quantity)
	if p.ReservedQuantity != nil {
		c.notNegative("reserved_quantity", *p.ReservedQuantity)
	}
	if p.AvailableQuantity != nil {
		c.notNegative("available_quantity", *p.AvailableQuantity)
	}
	c.oneOf("update_type", p.UpdateType, UpdateReservation, UpdateRelease, UpdateAdjustment, UpdateRestock, UpdateManual, UpdateShipment)
	if p.ReservedQuantity != nil && p.AvailableQuantity != nil && *p.AvailableQuantity != p.Quantity-*p.ReservedQuantity {
		c.add("available_quantity", InvalidValue, "must be quantity - reserved_quantity = %d, is %d", p.Quantity-*p.ReservedQuantity, *p.AvailableQuantity)
	}
	return c.err()
}
