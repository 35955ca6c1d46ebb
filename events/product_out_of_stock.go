package events

// ProductOutOfStock is the data of product.out_of_stock. Published when a product's inventory reaches zero.
type ProductOutOfStock struct {
	ProductID      string `json:"product_id" rule:"id" doc:"Id of the product."`
	LastStockLevel int64  `json:"last_stock_level" rule:"not_negative" doc:"Units in stock that were left, usually 0."`
	LocationID     string `json:"location_id,omitzero" rule:"id" doc:"Id of the warehouse that ran out; the platform's default location if absent."`
}

// Contract implements Payload.
func (ProductOutOfStock) Contract() Contract {
	return Contract{
		Type: "product.out_of_stock", Version: "1.0", Key: "product_id",
		Publisher: CatalogService, Consumers: []string{"orders", "notifications", "analytics"},
		Retention: Unlimited,
		Purpose:   "Published when a product's inventory reaches zero.",
		When:      "Triggered by inventory service communication (Phase 2).",
	}
}

// Validate implements Payload.
func (p ProductOutOfStock) Validate() error { return Check(p) }
