package events

// The vocabulary of a check's result. A validated order has passed every check.
const CheckPassed = "passed"

// OrderValidated says that an order can be paid and prepared.
type OrderValidated struct {
	OrderID           string            `json:"order_id"`
	ValidationResults ValidationResults `json:"validation_results"`
	Reservations      []Reservation     `json:"reservations"`
}

// ValidationResults are the outcomes of the three checks of an order.
type ValidationResults struct {
	InventoryCheck string `json:"inventory_check"` // every line is reserved
	PricingCheck   string `json:"pricing_check"`   // every price is the one that held when the order was made
	CustomerCheck  string `json:"customer_check"`  // the customer may order
}

// Reservation is what is held for a line of an order.
type Reservation struct {
	ProductID     string `json:"product_id"`
	ReservationID string `json:"reservation_id"`
	Quantity      int64  `json:"quantity"`
}

// Contract is the agreement on order.validated.
func (OrderValidated) Contract() Contract {
	return Contract{
		Type: TypeOrderValidated, Version: "1.0", Key: "order_id",
		Publisher: OrderService, Consumers: []string{"payments", "fulfillment", "notifications"},
		Follows:   []string{TypeOrderCreated},
		Retention: ledgerRetention,
		Purpose:   "Published when an order passes all validation checks.",
		When:      "After inventory verification, pricing validation, and customer verification.",
	}
}

// Validate implements Payload.
func (o OrderValidated) Validate() error {
	var c Checker
	c.ID("order_id", o.OrderID)
	results := c.Object("validation_results")
	results.OneOf("inventory_check", o.ValidationResults.InventoryCheck, CheckPassed)
	results.OneOf("pricing_check", o.ValidationResults.PricingCheck, CheckPassed)
	results.OneOf("customer_check", o.ValidationResults.CustomerCheck, CheckPassed)
	for i, held := range o.Reservations {
		item := c.Item("reservations", i)
		item.ID("product_id", held.ProductID)
		item.ID("reservation_id", held.ReservationID)
		item.Positive("quantity", held.Quantity)
	}
	return c.Err()
}
