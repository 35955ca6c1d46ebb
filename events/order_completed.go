package events

import "time"

// OrderCompleted says that an order is paid and its goods are on their way.
type OrderCompleted struct {
	OrderID        string    `json:"order_id"`
	CompletionTime time.Time `json:"completion_time"`
	PaymentID      string    `json:"payment_id"`
	FulfillmentID  string    `json:"fulfillment_id"`
	FinalAmount    Money     `json:"final_amount"`
	CustomerID     string    `json:"customer_id,omitzero" class:"personal"`
	Currency       string    `json:"currency,omitzero"`
}

// Contract is the agreement on order.completed.
func (OrderCompleted) Contract() Contract {
	return Contract{
		Type: TypeOrderCompleted, Version: "1.0", Key: "order_id",
		Publisher: OrderService, Consumers: []string{"analytics", "customers", "inventory"},
		Follows:   []string{TypeOrderCreated},
		Retention: ledgerRetention,
		Purpose:   "Published when an order is fully completed (paid and fulfilled).",
		When:      "After payment confirmation and fulfillment completion.",
	}
}

// Validate implements Payload.
func (o OrderCompleted) Validate() error {
	var c Checker
	c.ID("order_id", o.OrderID)
	c.Time("completion_time", o.CompletionTime)
	c.ID("payment_id", o.PaymentID)
	c.ID("fulfillment_id", o.FulfillmentID)
	c.Money("final_amount", o.FinalAmount)
	c.OptionalID("customer_id", o.CustomerID)
	c.OptionalCurrency("currency", o.Currency)
	return c.Err()
}
