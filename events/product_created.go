package events

import (
	"github.com/go-json-experiment/json/jsontext"
)

// ProductCreated is the data of product.created. Published when a new product is successfully created in the catalog.
type ProductCreated struct {
	ProductID   string         `json:"product_id" rule:"id" doc:"Id of the product."`
	Name        string         `json:"name" rule:"text" doc:"What shoppers read as its name."`
	Description string         `json:"description,omitzero" doc:"What shoppers read about it."`
	CategoryID  string         `json:"category_id" rule:"id" doc:"Id of the category that it is listed in."`
	Price       Money          `json:"price" doc:"Price of one unit in the shop's currency, as a decimal string."`
	SKU         string         `json:"sku,omitzero" doc:"The stock keeping unit, the seller's own number of the product."`
	IsActive    bool           `json:"is_active" doc:"Whether it is for sale."`
	Attributes  jsontext.Value `json:"attributes,omitzero" rule:"object" doc:"Further properties by name, such as weight or origin; the publisher's own."`
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
