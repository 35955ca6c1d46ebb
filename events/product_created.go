package events

import (
	"github.com/go-json-experiment/json/jsontext"
)

// Attributes are a product's own properties by name. Each value is kept as it was written, so that a large integer
// or a long decimal stays exact; unmarshal the one that you need.
type Attributes map[string]jsontext.Value

// ProductCreated says that a product joined the catalog. It carries the product's whole state.
type ProductCreated struct {
	ProductID   string     `json:"product_id"`
	Name        string     `json:"name"`
	Description string     `json:"description,omitzero"`
	CategoryID  string     `json:"category_id"`
	Price       Money      `json:"price"`
	SKU         string     `json:"sku,omitzero"`
	IsActive    bool       `json:"is_active"`
	Attributes  Attributes `json:"attributes,omitzero"`
}

// Contract is the agreement on product.created.
func (ProductCreated) Contract() Contract {
	return Contract{
		Type: TypeProductCreated, Version: "1.0", Key: "product_id",
		Publisher: CatalogService, Consumers: []string{"inventory", "orders", "search"},
		Retention: Unlimited,
		Purpose:   "Published when a new product is successfully created in the catalog.",
		When:      "After successful product creation and database persistence.",
	}
}

// Validate implements Payload.
func (p ProductCreated) Validate() error {
	var c Checker
	c.ID("product_id", p.ProductID)
	c.Text("name", p.Name)
	c.OptionalText("description", p.Description)
	c.ID("category_id", p.CategoryID)
	c.Money("price", p.Price)
	c.OptionalText("sku", p.SKU)
	c.attributes("attributes", p.Attributes)
	return c.Err()
}
