package events

import (
	"github.com/go-json-experiment/json/jsontext"
)

// ProductUpdated is the data of product.updated. Published when product information is modified.
type ProductUpdated struct {
	ProductID   string         `json:"product_id" rule:"id" doc:"Id of the product."`
	Name        string         `json:"name" rule:"text" doc:"What shoppers read as its name."`
	Description string         `json:"description,omitzero" doc:"What shoppers read about it."`
	CategoryID  string         `json:"category_id" rule:"id" doc:"Id of the category that it is listed in."`
	Price       Money          `json:"price" doc:"Price of one unit after the change, as a decimal string."`
	SKU         string         `json:"sku,omitzero" doc:"The stock keeping unit, the seller's own number of the product."`
	IsActive    bool           `json:"is_active" doc:"Whether it is for sale."`
	Attributes  jsontext.Value `json:"attributes,omitzero" rule:"object" doc:"Further properties by name, such as weight or origin; the publisher's own."`
	Changes     []Change       `json:"changes" doc:"What changed, field by field; the other fields hold the state after it."`
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
