package events

// StatusPending is the status of every new order.
const StatusPending = "pending"

// OrderCreated says that a customer ordered something.
type OrderCreated struct {
	OrderID         string   `json:"order_id"`
	CustomerID      string   `json:"customer_id" class:"personal"`
	TotalAmount     Money    `json:"total_amount"` // may differ from the sum of the lines (shipping, discounts)
	Currency        string   `json:"currency"`
	Status          string   `json:"status"`
	Items           []Item   `json:"items"`
	ShippingAddress Address  `json:"shipping_address" class:"personal"`
	BillingAddress  *Address `json:"billing_address,omitzero" class:"personal"`
}

// Item is a line of an order.
type Item struct {
	ProductID  string `json:"product_id"`
	Quantity   int64  `json:"quantity"`
	UnitPrice  Money  `json:"unit_price"`
	TotalPrice Money  `json:"total_price"`
}

// Address is where a person lives or works. State and zip may be empty: not every country has them.
type Address struct {
	Street  string `json:"street"`
	City    string `json:"city"`
	State   string `json:"state"`
	Zip     string `json:"zip"`
	Country string `json:"country"`
}

// Contract is the agreement on order.created.
func (OrderCreated) Contract() Contract {
	return Contract{
		Type: TypeOrderCreated, Version: "1.0", Key: "order_id",
		Publisher: OrderService, Consumers: []string{"inventory", "payments", "notifications"},
		Retention: ledgerRetention,
		Purpose:   "Published when a new order is created.",
		When:      "After successful order creation and initial validation.",
	}
}

// Validate implements Payload.
func (o OrderCreated) Validate() error {
	var c Checker
	c.ID("order_id", o.OrderID)
	c.ID("customer_id", o.CustomerID)
	c.Money("total_amount", o.TotalAmount)
	c.Currency("currency", o.Currency)
	c.OneOf("status", o.Status, StatusPending)
	c.notEmpty("items", len(o.Items))
	for i, line := range o.Items {
		item := c.Item("items", i)
		item.ID("product_id", line.ProductID)
		item.Positive("quantity", line.Quantity)
		item.Money("unit_price", line.UnitPrice)
		item.Money("total_price", line.TotalPrice)
	}
	o.ShippingAddress.check(c.Object("shipping_address"))
	if o.BillingAddress != nil {
		o.BillingAddress.check(c.Object("billing_address"))
	}
	return c.Err()
}

func (a Address) check(c *Checker) {
	c.Text("street", a.Street)
	c.Text("city", a.City)
	c.OptionalText("state", a.State)
	c.OptionalText("zip", a.Zip)
	c.Text("country", a.Country)
}
