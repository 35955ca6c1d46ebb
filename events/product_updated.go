package events

import (
	"github.com/go-json-experiment/json/jsontext"
)

// ProductUpdated says that a product changed. It carries the product's whole new state and what differs from the old.
type ProductUpdated struct {
	ProductID   string     `json:"product_id"`
	Name        string     `json:"name"`
	Description string     `json:"description,omitzero"`
	CategoryID  string     `json:"category_id"`
	Price       Money      `json:"price"`
	SKU         string     `json:"sku,omitzero"`
	IsActive    bool       `json:"is_active"`
	Attributes  Attributes `json:"attributes,omitzero"`
	Changes     []Change   `json:"changes"`
}

// Change is one changed field. The values are JSON as it was written; a nil value is null: the field was or is not there.
type Change struct {
	Field    string         `json:"field"` // a dotted path, such as attributes.organic
	OldValue jsontext.Value `json:"old_value" nullable:"true"`
	NewValue jsontext.Value `json:"new_value" nullable:"true"`
}

// Contract is the agreement on product.updated.
func (ProductUpdated) Contract() Contract {
	return Contract{
		Type: TypeProductUpdated, Version: "1.0", Key: "product_id",
		Publisher: CatalogService, Consumers: []string{"inventory", "orders", "search"},
		Retention: Unlimited,
		Purpose:   "Published when product information is modified.",
		When:      "After successful product update and database persistence.",
	}
}

// Validate implements Payload.
func (p ProductUpdated) Validate() error {
	var c Checker
	c.ID("product_id", p.ProductID)
	c.Text("name", p.Name)
	c.OptionalText("description", p.Description)
	c.ID("category_id", p.CategoryID)
	c.Money("price", p.Price)
	c.OptionalText("sku", p.SKU)
	c.attributes("attributes", p.Attributes)
	for i, change := range p.Changes {
		item := c.Item("changes", i)
		item.Text("field", change.Field)
		item.freeForm("old_value", change.OldValue)
		item.freeForm("new_value", change.NewValue)
	}
	return c.Err()
}
