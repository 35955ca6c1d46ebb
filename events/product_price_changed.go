package events

import "time"

// ProductPriceChanged says that a product has, or will have, another price.
type ProductPriceChanged struct {
	ProductID     string     `json:"product_id"`
	OldPrice      Money      `json:"old_price"`
	NewPrice      Money      `json:"new_price"`
	EffectiveDate *time.Time `json:"effective_date,omitzero"` // when the new price holds; at once if nil
}

// Contract is the agreement on product.price_changed.
func (ProductPriceChanged) Contract() Contract {
	return Contract{
		Type: TypeProductPriceChanged, Version: "1.0", Key: "product_id",
		Publisher: CatalogService, Consumers: []string{"orders", "analytics", "notifications"},
		Retention: Unlimited,
		Purpose:   "Published when a product's price is modified.",
		When:      "After successful price update in database.",
	}
}

// Validate implements Payload.
func (p ProductPriceChanged) Validate() error {
	var c Checker
	c.ID("product_id", p.ProductID)
	c.Money("old_price", p.OldPrice)
	c.Money("new_price", p.NewPrice)
	c.OptionalTime("effective_date", p.EffectiveDate)
	return c.Err()
}
