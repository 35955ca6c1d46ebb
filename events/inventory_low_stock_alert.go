package events

// InventoryLowStockAlert is the data of inventory.low_stock_alert. Published when inventory falls below defined thresholds.
type InventoryLowStockAlert struct {
	ProductID       string `json:"product_id" rule:"id" doc:"Id of the product."`
	LocationID      string `json:"location_id,omitzero" rule:"id" doc:"Id of the warehouse; the platform's default location if absent."`
	CurrentQuantity int64  `json:"current_quantity" rule:"not_negative" doc:"Units that are left to sell."`
	Threshold       int64  `json:"threshold" rule:"not_negative" doc:"The threshold that was crossed, in units."`
	AlertLevel      string `json:"alert_level" oneof:"warning critical urgent" doc:"How urgent it is."`
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
func (p InventoryLowStockAlert) Validate() error { return Check(p) }
