package events

// The vocabulary of alert_level.
const (
	AlertWarning  = "warning"  // available stock fell to the threshold
	AlertCritical = "critical" // to half of it
	AlertUrgent   = "urgent"   // to nothing
)

// InventoryLowStockAlert says that a product's stock at a location fell to its threshold.
type InventoryLowStockAlert struct {
	ProductID       string `json:"product_id"`
	LocationID      string `json:"location_id,omitzero"`
	CurrentQuantity int64  `json:"current_quantity"`
	Threshold       int64  `json:"threshold"`
	AlertLevel      string `json:"alert_level"`
}

// Contract is the agreement on inventory.low_stock_alert.
func (InventoryLowStockAlert) Contract() Contract {
	return Contract{
		Type: TypeInventoryLowStockAlert, Version: "1.0", Key: "product_id",
		Publisher: InventoryService, Consumers: []string{"notifications", "procurement", "analytics"},
		Retention: stockRetention,
		Purpose:   "Published when inventory falls below defined thresholds.",
		When:      "When stock level crosses threshold during any inventory operation.",
	}
}

// Validate implements Payload.
func (a InventoryLowStockAlert) Validate() error {
	var c Checker
	c.ID("product_id", a.ProductID)
	c.OptionalID("location_id", a.LocationID)
	c.Count("current_quantity", a.CurrentQuantity)
	c.Count("threshold", a.Threshold)
	c.OneOf("alert_level", a.AlertLevel, AlertWarning, AlertCritical, AlertUrgent)
	return c.Err()
}
