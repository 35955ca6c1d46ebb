package events

// OrderCreated is the data of order.created. Published when a new order is created.
type OrderCreated struct {
	OrderID         string  `json:"order_id" rule:"id" doc:"Id of the order."`
	CustomerID      string  `json:"customer_id" rule:"id" class:"subject" doc:"Id of the customer who ordered."`
	TotalAmount     Money   `json:"total_amount" doc:"What the customer is to pay in all, in currency, as a decimal string; it may hold more than the lines' totals, such as shipping."`
	Currency        string  `json:"currency" rule:"currency" doc:"Currency of the amounts, ISO 4217."`
	Status          string  `json:"status" rule:"text" doc:"The order's state, pending when it is new."`
	Items           []Item  `json:"items" rule:"not_empty" doc:"Its lines, at least one."`
	ShippingAddress Address `json:"shipping_address" class:"personal" doc:"Where the goods go."`
	BillingAddress  Address `json:"billing_address" class:"personal" doc:"Where the bill goes."`
}

// Contract implements Payload.
func (OrderCreated) Contract() Contract {
	return Contract{
		Type: "order.created", Version: "1.0", Key: "order_id",
		Publisher: OrdersService, Consumers: []string{"inventory", "payments", "notifications"},
		Retention: 400 * Day,
		Purpose:   "Published when a new order is created.",
		When:      "After successful order creation and initial validation.",
	}
}

// Validate implements Payload.
func (p OrderCreated) Validate() error { return Check(p) }
