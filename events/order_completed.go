package events

import (
	"time"
)

// OrderCompleted is the data of order.completed. Published when an order is fully completed (paid and fulfilled).
type OrderCompleted struct {
	OrderID        string    `json:"order_id" rule:"id"`
	CompletionTime time.Time `json:"completion_time"`
	PaymentID      string    `json:"payment_id" rule:"id"`
	FulfillmentID  string    `json:"fulfillment_id" rule:"id"`
	FinalAmount    Money     `json:"final_amount"`
	CustomerID     string    `json:"customer_id,omitzero" rule:"id"`
	Currency       string    `json:"currency,omitzero" rule:"currency"`
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
