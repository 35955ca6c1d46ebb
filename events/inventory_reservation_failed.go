package events

// The vocabulary of the reason of inventory.reservation_failed.
const (
	ReasonInsufficientStock = "insufficient_stock"
	ReasonUnknownProduct    = "unknown_product"
	ReasonInactiveProduct   = "inactive_product"
)

// InventoryReservationFailed says that an order's lines could not all be reserved, and that none was.
type InventoryReservationFailed struct {
	OrderID string     `json:"order_id"`
	Reason  string     `json:"reason"`
	Items   []Shortage `json:"items"`
}

// Shortage is a line that could not be reserved.
type Shortage struct {
	ProductID  string `json:"product_id"`
	Requested  int64  `json:"requested"`
	Available  int64  `json:"available"`
	LocationID string `json:"location_id,omitzero"`
}

// Contract is the agreement on inventory.reservation_failed.
func (InventoryReservationFailed) Contract() Contract {
	return Contract{
		Type: TypeInventoryReservationFailed, Version: "1.0", Key: "order_id",
		Publisher: InventoryService, Consumers: []string{"orders", "analytics"},
		Retention: stockRetention,
		Purpose:   "Published when an order's lines cannot all be reserved.",
		When:      "After the decision that an order cannot be reserved; nothing is held for it.",
		Addition:  true,
	}
}

// Validate implements Payload.
func (f InventoryReservationFailed) Validate() error {
	var c Checker
	c.ID("order_id", f.OrderID)
	c.OneOf("reason", f.Reason, ReasonInsufficientStock, ReasonUnknownProduct, ReasonInactiveProduct)
	c.notEmpty("items", len(f.Items))
	for i, short := range f.Items {
		item := c.Item("items", i)
		item.ID("product_id", short.ProductID)
		item.Positive("requested", short.Requested)
		item.Count("available", short.Available)
		item.OptionalID("location_id", short.LocationID)
	}
	return c.Err()
}
