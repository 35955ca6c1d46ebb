package events

// InventoryAdjusted is the data of inventory.adjusted. Published when inventory levels are manually adjusted.
type InventoryAdjusted struct {
	ProductID       string `json:"product_id" rule:"id" doc:"Id of the product."`
	LocationID      string `json:"location_id,omitzero" rule:"id" doc:"Id of the warehouse; the platform's default location if absent."`
	OldQuantity     int64  `json:"old_quantity" rule:"not_negative" doc:"Units on hand before."`
	NewQuantity     int64  `json:"new_quantity" rule:"not_negative" doc:"Units on hand after."`
	AdjustmentType  string `json:"adjustment_type" oneof:"restock damage theft correction return manual" doc:"What kind of correction it is."`
	Reason          string `json:"reason,omitzero" doc:"Why, in words."`
	ReferenceNumber string `json:"reference_number,omitzero" doc:"Number of the paper or ticket behind it, such as ADJ-2024-001."`
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
