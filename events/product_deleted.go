package events

// ProductDeleted says that a product left the catalog.
type ProductDeleted struct {
	ProductID string `json:"product_id"`
	Name      string `json:"name,omitzero"`
	Reason    string `json:"reason,omitzero"`
}

// Contract is the agreement on product.deleted.
func (ProductDeleted) Contract() Contract {
	return Contract{
		Type: TypeProductDeleted, Version: "1.0", Key: "product_id",
		Publisher: CatalogService, Consumers: []string{"inventory", "orders", "search"},
		Retention: Unlimited,
		Purpose:   "Published when a product is deleted from the catalog.",
		When:      "After successful product deletion from database.",
	}
}

// Validate implements Payload.
func (p ProductDeleted) Validate() error {
	var c Checker
	c.ID("product_id", p.ProductID)
	c.OptionalText("name", p.Name)
	c.OptionalText("reason", p.Reason)
	return c.Err()
}
