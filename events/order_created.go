package events

// OrderCreated is the data of order.created. Published when a new order is created.
type OrderCreated struct {
	OrderID         string  `json:"order_id" rule:"id"`
	CustomerID      string  `json:"customer_id" rule:"id" class:"subject"`
	TotalAmount     Money   `json:"total_amount"`
	Currency        string  `json:"currency" rule:"currency"`
	Status          string  `json:"status" rule:"text"`
	Items           []Item  `json:"items" rule:"not_empty"`
	ShippingAddress Address `json:"shipping_address" class:"personal"`
	BillingAddress  Address `json:"billing_address" class:"personal"`
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
