package events

import "time"

// OrderRefundRequested says that money of a completed order shall go back to the customer.
type OrderRefundRequested struct {
	OrderID      string    `json:"order_id"`
	RefundAmount Money     `json:"refund_amount"`
	RefundReason string    `json:"refund_reason"`
	RequestedBy  string    `json:"requested_by" class:"personal"`
	RequestedAt  time.Time `json:"requested_at"`
}

// Contract is the agreement on order.refund_requested.
func (OrderRefundRequested) Contract() Contract {
	return Contract{
		Type: TypeOrderRefundRequested, Version: "1.0", Key: "order_id",
		Publisher: OrderService, Consumers: []string{"payments"},
		Retention: ledgerRetention,
		Purpose:   "Published when a refund of a completed order, in part or whole, is asked for.",
		When:      "After the request is accepted and recorded; the money has not moved yet.",
		Addition:  true,
	}
}

// Validate implements Payload.
func (o OrderRefundRequested) Validate() error {
	var c Checker
	c.ID("order_id", o.OrderID)
	c.Money("refund_amount", o.RefundAmount)
	c.Text("refund_reason", o.RefundReason)
	c.ID("requested_by", o.RequestedBy)
	c.Time("requested_at", o.RequestedAt)
	return c.Err()
}
