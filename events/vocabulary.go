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
	ProductID  string `json:"product_id" rule:"id"`
	Quantity   int64  `json:"quantity" rule:"positive"`
	UnitPrice  Money  `json:"unit_price"`
	TotalPrice Money  `json:"total_price"`
}

// Address is where somebody lives: personal data.
type Address struct {
	Street  string `json:"street" rule:"text" class:"personal"`
	City    string `json:"city" rule:"text" class:"personal"`
	State   string `json:"state" class:"personal"` // may be "": not every country has any
	Zip     string `json:"zip" rule:"text" class:"personal"`
	Country string `json:"country" rule:"text" class:"personal"`
}

// Change is one changed field of a product: a dotted path and the JSON values.
type Change struct {
	Field    string         `json:"field" rule:"text"`
	OldValue jsontext.Value `json:"old_value"`
	NewValue jsontext.Value `json:"new_value"`
}

// Shortage is a line that could not be reserved.
type Shortage struct {
	ProductID  string `json:"product_id" rule:"id"`
	Requested  int64  `json:"requested" rule:"positive"`
	Available  int64  `json:"available" rule:"not_negative"`
	LocationID string `json:"location_id,omitzero" rule:"id"`
}

// Reservation is a reserved line of a validated order.
type Reservation struct {
	ProductID     string `json:"product_id" rule:"id"`
	ReservationID string `json:"reservation_id" rule:"id"`
	Quantity      int64  `json:"quantity" rule:"positive"`
}

// ValidationResults are the three checks of an order.
type ValidationResults struct {
	InventoryCheck string `json:"inventory_check" rule:"text"`
	PricingCheck   string `json:"pricing_check" rule:"text"`
	CustomerCheck  string `json:"customer_check" rule:"text"`
}

// Passed is the result of a check that found nothing.
const Passed = "passed"
