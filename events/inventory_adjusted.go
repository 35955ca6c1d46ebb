package events

// InventoryAdjusted is the data of inventory.adjusted. Published when inventory levels are manually adjusted.
type InventoryAdjusted struct {
	ProductID       string `json:"product_id" rule:"id"`
	LocationID      string `json:"location_id,omitzero" rule:"id"`
	OldQuantity     int64  `json:"old_quantity" rule:"not_negative"`
	NewQuantity     int64  `json:"new_quantity" rule:"not_negative"`
	AdjustmentType  string `json:"adjustment_type" oneof:"restock damage theft correction return manual"`
	Reason          string `json:"reason,omitzero"`
	ReferenceNumber string `json:"reference_number,omitzero"`
}

// Contract implements Payload.
func (InventoryAdjusted) Contract() Contract {
	return Contract{
		Type: "inventory.adjusted", Version: "1.0", Key: "product_id",
		Publisher: InventoryService, Consumers: []string{"analytics", "audit"},
		Retention: 400 * Day,
		Purpose:   "Published when inventory levels are manually adjusted.",
		When:      "After successful inventory adjustment in database.",
	}
}

// Validate implements Payload.
func (p InventoryAdjusted) Validate() error { return Check(p) }
