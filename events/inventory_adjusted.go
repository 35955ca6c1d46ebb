package events

// The vocabulary of adjustment_type.
const (
	AdjustmentRestock    = "restock"
	AdjustmentDamage     = "damage"
	AdjustmentTheft      = "theft"
	AdjustmentCorrection = "correction"
	AdjustmentReturn     = "return"
	AdjustmentManual     = "manual"
)

// AdjustmentTypes lists the vocabulary of adjustment_type.
func AdjustmentTypes() []string {
	return []string{
		AdjustmentRestock, AdjustmentDamage, AdjustmentTheft, AdjustmentCorrection, AdjustmentReturn, AdjustmentManual,
	}
}

// InventoryAdjusted says that somebody changed the stock on hand, other than by an order.
type InventoryAdjusted struct {
	ProductID       string `json:"product_id"`
	LocationID      string `json:"location_id,omitzero"`
	OldQuantity     int64  `json:"old_quantity"`
	NewQuantity     int64  `json:"new_quantity"`
	AdjustmentType  string `json:"adjustment_type"`
	Reason          string `json:"reason,omitzero"`
	ReferenceNumber string `json:"reference_number,omitzero"`
}

// Contract is the agreement on inventory.adjusted.
func (InventoryAdjusted) Contract() Contract {
	return Contract{
		Type: TypeInventoryAdjusted, Version: "1.0", Key: "product_id",
		Publisher: InventoryService, Consumers: []string{"analytics", "audit"},
		Retention: ledgerRetention,
		Purpose:   "Published when inventory levels are manually adjusted.",
		When:      "After successful inventory adjustment in database.",
	}
}

// Validate implements Payload.
func (a InventoryAdjusted) Validate() error {
	var c Checker
	c.ID("product_id", a.ProductID)
	c.OptionalID("location_id", a.LocationID)
	c.Count("old_quantity", a.OldQuantity)
	c.Count("new_quantity", a.NewQuantity)
	c.OneOf("adjustment_type", a.AdjustmentType, AdjustmentTypes()...)
	c.OptionalText("reason", a.Reason)
	c.OptionalText("reference_number", a.ReferenceNumber)
	return c.Err()
}
