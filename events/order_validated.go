package events

// OrderValidated is the data of order.validated. Published when an order passes all validation checks.
type OrderValidated struct {
	OrderID           string            `json:"order_id" rule:"id" doc:"Id of the order."`
	ValidationResults ValidationResults `json:"validation_results" doc:"What each check found."`
	Reservations      []Reservation     `json:"reservations" doc:"What is set aside for its lines."`
}

// Contract implements Payload.
func (OrderValidated) Contract() Contract {
	return Contract{
		Type: "order.validated", Version: "1.0", Key: "order_id",
		Publisher: OrdersService, Consumers: []string{"payments", "fulfillment", "notifications"}, Follows: []string{"order.created"},
		Retention: 400 * Day,
		Purpose:   "Published when an order passes all validation checks.",
		When:      "After inventory verification, pricing validation, and customer verification.",
	}
}

// Validate implements Payload.
func (p OrderValidated) Validate() error { return Check(p) }
