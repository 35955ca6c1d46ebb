package events

import (
	"time"
)

// ProductPriceChanged is the data of product.price_changed. Published when a product's price is modified.
type ProductPriceChanged struct {
	ProductID     string     `json:"product_id" rule:"id"`
	OldPrice      Money      `json:"old_price"`
	NewPrice      Money      `json:"new_price"`
	EffectiveDate *time.Time `json:"effective_date,omitzero"`
}

// Contract implements Payload.
func (ProductPriceChanged) Contract() Contract {
	return Contract{
		Type: "product.price_changed", Version: "1.0", Key: "product_id",
		Publisher: CatalogService, Consumers: []string{"orders", "analytics", "notifications"},
		Retention: Unlimited,
		Purpose:   "Published when a product's price is modified.",
		When:      "After successful price update in database.",
	}
}

// Validate implements Payload.
func (p ProductPriceChanged) Validate() error { return Check(p) }
