package events

// InventoryUpdated is the data of inventory.updated. Published for general inventory updates not covered by specific events.
type InventoryUpdated struct {
	ProductID         string `json:"product_id" rule:"id"`
	LocationID        string `json:"location_id,omitzero" rule:"id"`
	Quantity          int64  `json:"quantity" rule:"not_negative"`
	ReservedQuantity  *int64 `json:"reserved_quantity,omitzero" rule:"not_negative"`
	AvailableQuantity *int64 `json:"available_quantity,omitzero" rule:"not_negative"`
	UpdateType        string `json:"update_type" oneof:"reservation release adjustment restock manual shipment"`
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
func (p InventoryUpdated) Validate() error { return Check(p, p.derived()...) }

// derived holds the quantity that follows from the others.
func (p InventoryUpdated) derived() []Problem {
	if p.ReservedQuantity == nil || p.AvailableQuantity == nil || *p.AvailableQuantity == p.Quantity-*p.ReservedQuantity {
		return nil
	}
	return []Problem{Across("/available_quantity", InvalidValue, "must be quantity - reserved_quantity = %d, is %d", p.Quantity-*p.ReservedQuantity, *p.AvailableQuantity)}
}
