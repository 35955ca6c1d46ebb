package events

import (
	"github.com/go-json-experiment/json/jsontext"
)

// ProductCreated is the data of product.created. Published when a new product is successfully created in the catalog.
type ProductCreated struct {
	ProductID   string         `json:"product_id" rule:"id"`
	Name        string         `json:"name" rule:"text"`
	Description string         `json:"description,omitzero"`
	CategoryID  string         `json:"category_id" rule:"id"`
	Price       Money          `json:"price"`
	SKU         string         `json:"sku,omitzero"`
	IsActive    bool           `json:"is_active"`
	Attributes  jsontext.Value `json:"attributes,omitzero" rule:"object"`
}

// Contract implements Payload.
func (ProductCreated) Contract() Contract {
	return Contract{
		Type: "product.created", Version: "1.0", Key: "product_id",
		Publisher: CatalogService, Consumers: []string{"inventory", "orders", "search"},
		Retention: Unlimited,
		Purpose:   "Published when a new product is successfully created in the catalog.",
		When:      "After successful product creation and database persistence.",
	}
}

// Validate implements Payload.
func (p ProductCreated) Validate() error { return Check(p) }
