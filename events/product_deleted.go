package events

// ProductDeleted is the data of product.deleted. Published when a product is deleted from the catalog.
type ProductDeleted struct {
	ProductID string `json:"product_id" rule:"id" doc:"Id of the product."`
	Name      string `json:"name,omitzero" doc:"Its name when it was deleted."`
	Reason    string `json:"reason,omitzero" doc:"Why it was deleted, such as discontinued."`
}

// Contract implements Payload.
func (ProductDeleted) Contract() Contract {
	return Contract{
		Type: "product.deleted", Version: "1.0", Key: "product_id",
		Publisher: CatalogService, Consumers: []string{"inventory", "orders", "search"},
		Retention: Unlimited,
		Purpose:   "Published when a product is deleted from the catalog.",
		When:      "After successful product deletion from database.",
	}
}

// Validate implements Payload.
func (p ProductDeleted) Validate() error { return Check(p) }
