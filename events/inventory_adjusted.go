package events

// InventoryAdjusted is the data of inventory.adjusted. Published when inventory levels are manually adjusted.
type InventoryAdjusted struct {
	ProductID       string `json:"product_id"`
	LocationID      string `json:"location_id,omitzero"`
	OldQuantity     int64  `json:"old_quantity"`
	NewQuantity     int64  `json:"new_quantity"`
	AdjustmentType  string `json:"adjustment_type"`
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
func (p InventoryAdjusted) Validate() error {
	var c checker
	c.id("product_id", p.ProductID)
	c.optionalID("location_id", p.LocationID)
	c.notNegative("old_quantity", p.OldQuantity)
	c.notNegative("new_quantity", p.NewQuantity)
	c.oneOf("adjustment_type", p.AdjustmentType, Adjustments...)
	return c.err()
}
