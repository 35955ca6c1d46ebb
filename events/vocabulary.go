package events

import (
	"reflect"

	"github.com/go-json-experiment/json/jsontext"
)

// Types of an adjustment.
const (
	AdjustmentRestock    = "restock"
	AdjustmentDamage     = "damage"
	AdjustmentTheft      = "theft"
	AdjustmentCorrection = "correction"
	AdjustmentReturn     = "return"
	AdjustmentManual     = "manual"
)

// Adjustments are the types of an adjustment that a publisher may send.
var Adjustments = cachedShape(reflect.TypeFor[InventoryAdjusted]()).byName["adjustment_type"].Vocabulary

// Levels of a low stock alert.
const (
	AlertWarning  = "warning"
	AlertCritical = "critical"
	AlertUrgent   = "urgent"
)

// Types of an inventory update; shipment is ours.
const (
	UpdateReservation = "reservation"
	UpdateRelease     = "release"
	UpdateAdjustment  = "adjustment"
	UpdateRestock     = "restock"
	UpdateManual      = "manual"
	UpdateShipment    = "shipment"
)

// Reasons of cancellations and of failed reservations and payments.
const (
	ReasonCustomerRequest    = "customer_request"
	ReasonInsufficientStock  = "insufficient_stock"
	ReasonProductUnavailable = "product_unavailable"
	ReasonPriceMismatch      = "price_mismatch"
	ReasonCustomerBlocked    = "customer_blocked"
	ReasonPaymentDeclined    = "payment_declined"
	ReasonFulfillmentFailed  = "fulfillment_failed"
	ReasonReservationExpired = "reservation_expired"

	ReasonUnknownProduct  = "unknown_product"
	ReasonInactiveProduct = "inactive_product"

	ReasonDeclined      = "declined"
	ReasonProviderError = "provider_error"
	ReasonVoided        = "voided"
)

// Who cancels an order.
const (
	ByCustomer = "customer"
	ByStaff    = "staff"
	BySystem   = "system"
)

// Item is one line of an order.
type Item struct {
	ProductID  string `json:"product_id" rule:"id" doc:"Id of the product that is ordered."`
	Quantity   int64  `json:"quantity" rule:"positive" doc:"Units of it."`
	UnitPrice  Money  `json:"unit_price" doc:"Price of one unit, in the order's currency, as a decimal string."`
	TotalPrice Money  `json:"total_price" doc:"Price of the line, in the order's currency, as a decimal string."`
}

// Address is where somebody lives: personal data.
type Address struct {
	Street  string `json:"street" rule:"text" class:"personal" doc:"Street and number."`
	City    string `json:"city" rule:"text" class:"personal" doc:"City or town."`
	State   string `json:"state" class:"personal" doc:"State or region; empty where there is none."` // may be "": not every country has any
	Zip     string `json:"zip" rule:"text" class:"personal" doc:"Postal code."`
	Country string `json:"country" rule:"text" class:"personal" doc:"Country, such as US."`
}

// Change is one changed field of a product: a dotted path and the JSON values.
type Change struct {
	Field    string         `json:"field" rule:"text" doc:"The field, dotted below an object, such as attributes.organic."`
	OldValue jsontext.Value `json:"old_value" doc:"Its value before, null for none."`
	NewValue jsontext.Value `json:"new_value" doc:"Its value after, null for none."`
}

// Shortage is a line that could not be reserved.
type Shortage struct {
	ProductID  string `json:"product_id" rule:"id" doc:"Id of the product."`
	Requested  int64  `json:"requested" rule:"positive" doc:"Units that the order wants."`
	Available  int64  `json:"available" rule:"not_negative" doc:"Units that were left to sell."`
	LocationID string `json:"location_id,omitzero" rule:"id" doc:"Id of the warehouse that was asked; the platform's default location if absent."`
}

// Reservation is a reserved line of a validated order.
type Reservation struct {
	ProductID     string `json:"product_id" rule:"id" doc:"Id of the product."`
	ReservationID string `json:"reservation_id" rule:"id" doc:"Id of the reservation."`
	Quantity      int64  `json:"quantity" rule:"positive" doc:"Units that are set aside."`
}

// ValidationResults are the three checks of an order.
type ValidationResults struct {
	InventoryCheck string `json:"inventory_check" rule:"text" doc:"passed where all lines are reserved."`
	PricingCheck   string `json:"pricing_check" rule:"text" doc:"passed where the prices are those of the catalogue."`
	CustomerCheck  string `json:"customer_check" rule:"text" doc:"passed where the customer may order."`
}

// Passed is the result of a check that found nothing.
const Passed = "passed"
