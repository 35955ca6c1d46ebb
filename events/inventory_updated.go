package events

// InventoryUpdated is the data of inventory.updated. Published for general inventory updates not covered by specific events.
type InventoryUpdated struct {
	ProductID         string `json:"product_id" rule:"id" doc:"Id of the product."`
	LocationID        string `json:"location_id,omitzero" rule:"id" doc:"Id of the warehouse; the platform's default location if absent."`
	Quantity          int64  `json:"quantity" rule:"not_negative" doc:"Units on hand, reserved ones among them."`
	ReservedQuantity  *int64 `json:"reserved_quantity,omitzero" rule:"not_negative" doc:"Units of them that are set aside for orders."`
	AvailableQuantity *int64 `json:"available_quantity,omitzero" rule:"not_negative" doc:"Units that are left to sell: quantity - reserved_quantity."`
	UpdateType        string `json:"update_type" oneof:"reservation release adjustment restock manual shipment" doc:"What kind of change led to it."`
	SourceEvent       string `json:"source_event,omitzero" doc:"What caused it: an event's type or a process, such as purchase_order_received."`
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
