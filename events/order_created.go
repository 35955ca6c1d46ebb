package events

// OrderCreated is the data of order.created. Published when a new order is created.
type OrderCreated struct {
	OrderID         string  `json:"order_id"`
	CustomerID      string  `json:"customer_id"`
	TotalAmount     Money   `json:"total_amount"`
	Currency        string  `json:"currency"`
	Status          string  `json:"status"`
	Items           []Item  `json:"items"`
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
func (p OrderCreated) Validate() error {
	var c checker
	c.id("order_id", p.OrderID)
	c.id("customer_id", p.CustomerID)
	c.money("total_amount", p.TotalAmount)
	c.currency("currency", p.Currency)
	c.text("status", p.Status)
	notEmpty(&c, "items", p.Items)
	each(&c, "items", p.Items, checkItem)
	checkAddress(&c, "shipping_address", p.ShippingAddress)
	checkAddress(&c, "billing_address", p.BillingAddress)
	return c.err()
}
