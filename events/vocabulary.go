package events

import (
	"time"

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
var Adjustments = []string{AdjustmentRestock, AdjustmentDamage, AdjustmentTheft, AdjustmentCorrection, AdjustmentReturn, AdjustmentManual}

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
	ProductID  string `json:"product_id"`
	Quantity   int64  `json:"quantity"`
	UnitPrice  Money  `json:"unit_price"`
	TotalPrice Money  `json:"total_price"`
}

func checkItem(c *checker, i Item) {
	c.id("product_id", i.ProductID)
	c.positive("quantity", i.Quantity)
	c.money("unit_price", i.UnitPrice)
	c.money("total_price", i.TotalPrice)
}

// Address is where somebody lives: personal data.
type Address struct {
	Street  string `json:"street" class:"personal"`
	City    string `json:"city" class:"personal"`
	State   string `json:"state" class:"personal"` // may be "": not every country has any
	Zip     string `json:"zip" class:"personal"`
	Country string `json:"country" class:"personal"`
}

func checkAddress(c *checker, field string, a Address) {
	c.text(field+"/street", a.Street)
	c.text(field+"/city", a.City)
	c.text(field+"/zip", a.Zip)
	c.text(field+"/country", a.Country)
}

// Change is one changed field of a product: a dotted path and the JSON values.
type Change struct {
	Field    string         `json:"field"`
	OldValue jsontext.Value `json:"old_value"`
	NewValue jsontext.Value `json:"new_value"`
}

// Shortage is a line that could not be reserved.
type Shortage struct {
	ProductID  string `json:"product_id"`
	Requested  int64  `json:"requested"`
	Available  int64  `json:"available"`
	LocationID string `json:"location_id,omitzero"`
}

// Reservation is a reserved line of a validated order.
type Reservation struct {
	ProductID     string `json:"product_id"`
	ReservationID string `json:"reservation_id"`
	Quantity      int64  `json:"quantity"`
}

// ValidationResults are the three checks of an order.
type ValidationResults struct {
	InventoryCheck string `json:"inventory_check"`
	PricingCheck   string `json:"pricing_check"`
	CustomerCheck  string `json:"customer_check"`
}

// Passed is the result of a check that found nothing.
const Passed = "passed"

func checkOptionalTime(c *checker, field string, at *time.Time) {
	if at != nil {
		c.time(field, *at)
	}
}
