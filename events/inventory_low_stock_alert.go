package events

// InventoryLowStockAlert is the data of inventory.low_stock_alert. Published when inventory falls below defined thresholds.
type InventoryLowStockAlert struct {
	ProductID       string `json:"product_id"`
	LocationID      string `json:"location_id,omitzero"`
	CurrentQuantity int64  `json:"current_quantity"`
	Threshold       int64  `json:"threshold"`
	AlertLevel      string `json:"alert_level"`
}

// Contract implements Payload.
func (InventoryLowStockAlert) Contract() Contract {
	return Contract{
		Type: "inventory.low_stock_alert", Version: "1.0", Key: "product_id",
		Publisher: InventoryService, Consumers: []string{"notifications", "procurement", "analytics"},
		Retention: 30 * Day,
		Purpose:   "Published when inventory falls below defined thresholds.",
		When:      "When stock level crosses threshold during any inventory operation.",
	}
}

// Validate implements Payload.
func (p InventoryLowStockAlert) Validate() error {
	var c checker
	c.id("product_id", p.ProductID)
	c.optionalID("location_id", p.LocationID)
	c.notNegative("current_quantity", p.CurrentQuantity)
	c.notNegative("threshold", p.Threshold)
	c.oneOf("alert_level", p.AlertLevel, AlertWarning, AlertCritical, AlertUrgent)
	return c.err()
}
