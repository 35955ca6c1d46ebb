package events

import (
	"github.com/go-json-experiment/json/jsontext"
)

// ProductCreated is the data of product.created. Published when a new product is successfully created in the catalog.
type ProductCreated struct {
	ProductID   string         `json:"product_id"`
	Name        string         `json:"name"`
	Description string         `json:"description,omitzero"`
	CategoryID  string         `json:"category_id"`
	Price       Money          `json:"price"`
	SKU         string         `json:"sku,omitzero"`
	IsActive    bool           `json:"is_active"`
	Attributes  jsontext.Value `json:"attributes,omitzero" json_kind:"object"`
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
func (p ProductCreated) Validate() error {
	var c checker
	c.id("product_id", p.ProductID)
	c.text("name", p.Name)
	c.id("category_id", p.CategoryID)
	c.money("price", p.Price)
	return c.err()
}
