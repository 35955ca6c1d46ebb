package events

// ProductOutOfStock says that nothing of a product is available at any location.
type ProductOutOfStock struct {
	ProductID      string `json:"product_id"`
	LastStockLevel int64  `json:"last_stock_level"`
	LocationID     string `json:"location_id,omitzero"` // the location that fell last
}

// Contract is the agreement on product.out_of_stock.
func (ProductOutOfStock) Contract() Contract {
	return Contract{
		Type: TypeProductOutOfStock, Version: "1.0", Key: "product_id",
		Publisher: CatalogService, Consumers: []string{"orders", "notifications", "analytics"},
		Retention: Unlimited,
		Purpose:   "Published when a product's inventory reaches zero.",
		When:      "Triggered by inventory service communication (Phase 2).",
	}
}

// Validate implements Payload.
func (p ProductOutOfStock) Validate() error {
	var c Checker
	c.ID("product_id", p.ProductID)
	c.Count("last_stock_level", p.LastStockLevel)
	c.OptionalID("location_id", p.LocationID)
	return c.Err()
}
