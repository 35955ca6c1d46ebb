package events

import (
	"time"
)

// OrderCompleted is the data of order.completed. Published when an order is fully completed (paid and fulfilled).
type OrderCompleted struct {
	OrderID        string    `json:"order_id" rule:"id" doc:"Id of the order."`
	CompletionTime time.Time `json:"completion_time" doc:"When it was both paid and fulfilled."`
	PaymentID      string    `json:"payment_id" rule:"id" doc:"Id of the payment of the order."`
	FulfillmentID  string    `json:"fulfillment_id" rule:"id" doc:"Id of the fulfilment of the order."`
	FinalAmount    Money     `json:"final_amount" doc:"What the customer paid in all, in currency, as a decimal string."`
	CustomerID     string    `json:"customer_id,omitzero" rule:"id" doc:"Id of the customer who ordered."`
	Currency       string    `json:"currency,omitzero" rule:"currency" doc:"Currency of the amounts, ISO 4217."`
}

// Contract implements Payload.
func (OrderCompleted) Contract() Contract {
	return Contract{
		Type: "order.completed", Version: "1.0", Key: "order_id",
		Publisher: OrdersService, Consumers: []string{"analytics", "customers", "inventory"}, Follows: []string{"order.created"},
		Retention: 400 * Day,
		Purpose:   "Published when an order is fully completed (paid and fulfilled).",
		When:      "After payment confirmation and fulfillment completion.",
	}
}

// Validate implements Payload.
func (p OrderCompleted) Validate() error { return Check(p) }
