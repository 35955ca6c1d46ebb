package events

import (
	"time"
)

// ProductPriceChanged is the data of product.price_changed. Published when a product's price is modified.
type ProductPriceChanged struct {
	ProductID     string     `json:"product_id" rule:"id" doc:"Id of the product."`
	OldPrice      Money      `json:"old_price" doc:"Price of one unit before, as a decimal string."`
	NewPrice      Money      `json:"new_price" doc:"Price of one unit from then on, as a decimal string."`
	EffectiveDate *time.Time `json:"effective_date,omitzero" doc:"When the new price begins to hold; at once if absent."`
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
