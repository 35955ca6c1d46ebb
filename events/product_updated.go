package events

import (
	"github.com/go-json-experiment/json/jsontext"
)

// ProductUpdated is the data of product.updated. Published when product information is modified.
type ProductUpdated struct {
	ProductID   string         `json:"product_id" rule:"id"`
	Name        string         `json:"name" rule:"text"`
	Description string         `json:"description,omitzero"`
	CategoryID  string         `json:"category_id" rule:"id"`
	Price       Money          `json:"price"`
	SKU         string         `json:"sku,omitzero"`
	IsActive    bool           `json:"is_active"`
	Attributes  jsontext.Value `json:"attributes,omitzero" rule:"object"`
	Changes     []Change       `json:"changes"`
}

// Contract implements Payload.
func (ProductUpdated) Contract() Contract {
	return Contract{
		Type: "product.updated", Version: "1.0", Key: "product_id",
		Publisher: CatalogService, Consumers: []string{"inventory", "orders", "search"},
		Retention: Unlimited,
		Purpose:   "Published when product information is modified.",
		When:      "After successful product update and database persistence.",
	}
}

// Validate implements Payload.
func (p ProductUpdated) Validate() error { return Check(p) }
