package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/orders"
	"github.com/first-viscount/viscount/store"
)

type lineBody struct {
	ProductID string        `json:"product_id" rule:"id"`
	Quantity  int64         `json:"quantity" rule:"positive"`
	UnitPrice *events.Money `json:"unit_price,omitzero"`
}

type orderBody struct {
	OrderID         string          `json:"order_id,omitzero" rule:"id"`
	CustomerID      string          `json:"customer_id" rule:"id"`
	Currency        string          `json:"currency,omitzero" rule:"currency"`
	Items           []lineBody      `json:"items" rule:"not_empty"`
	ShippingAddress events.Address  `json:"shipping_address"`
	BillingAddress  *events.Address `json:"billing_address,omitzero"`
}

type cancelBody struct {
	Reason      string `json:"reason,omitzero" oneof:"customer_request product_unavailable fulfillment_failed"` // the others are the platform's own findings
	CancelledBy string `json:"cancelled_by,omitzero" oneof:"customer staff"`
}

type refundBody struct {
	Amount *events.Money `json:"amount,omitzero"`
	Reason string        `json:"reason" rule:"id"`
}

const (
	defaultCurrency = "USD"
	maxLines        = 500
)

func checkOrder(c *requestCheck, b orderBody) {
	if len(b.Items) > maxLines {
		c.wrong("/items", fmt.Sprintf("must have at most %d lines", maxLines))
	}
}

func (b orderBody) order() orders.NewOrder {
	n := orders.NewOrder{OrderID: b.OrderID, CustomerID: b.CustomerID, Currency: b.Currency, Shipping: b.ShippingAddress, Billing: b.ShippingAddress}
	if n.Currency == "" {
		n.Currency = defaultCurrency
	}
	if b.BillingAddress != nil {
		n.Billing = *b.BillingAddress
	}
	for _, line := range b.Items {
		n.Lines = append(n.Lines, orders.Line{ProductID: line.ProductID, Quantity: line.Quantity, UnitPrice: line.UnitPrice})
	}
	return n
}

func (s *Server) orderEndpoints() []endpoint {
	service := s.Platform.Orders
	if service == nil {
		return nil
	}
	answer := func(o orders.Order) reply[orders.Order] {
		return reply[orders.Order]{body: o, correlationID: o.CorrelationID, location: "/api/v1/orders/" + o.OrderID}
	}
	return []endpoint{
		{http.MethodGet, "/orders", Viewer, "Orders", paged(
			parameter{name: "status", sample: "", doc: "in this state only"},
			parameter{name: "customer_id", sample: "", doc: "of this customer only"},
		), listing(s, "orders", func(o orders.Order) string { return o.OrderID },
			func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]orders.Order, error) {
				return service.List(ctx, r, orders.Filter{Status: c.Query("status"), CustomerID: c.Query("customer_id"), After: after, Limit: limit})
			})},
		{http.MethodGet, "/orders/:id", Viewer, "One order with its history", nil,
			reading(s, "orders", func(ctx context.Context, r store.Reader, c *gin.Context) (orders.Order, error) {
				o, err := service.Get(ctx, r, c.Param("id"))
				if err == nil {
					c.Header(correlationHeader, o.CorrelationID)
				}
				return o, err
			})},
		{http.MethodPost, "/orders", Operator, "Place an order", nil,
			command(s, "orders", http.StatusCreated, checkOrder, func(ctx context.Context, tx *store.Tx, _ *gin.Context, b orderBody) (reply[orders.Order], error) {
				o, err := service.Create(ctx, tx, b.order())
				return answer(o), err
			})},
		{http.MethodPost, "/orders/:id/cancel", Operator, "Cancel an order that is not completed", nil,
			command(s, "orders", http.StatusAccepted, nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, b cancelBody) (reply[orders.Order], error) {
				b = b.withDefaults()
				o, err := service.Cancel(ctx, tx, c.Param("id"), b.Reason, b.CancelledBy)
				return answer(o), err
			})},
		{http.MethodPost, "/orders/:id/refund", Operator, "Ask for money of a completed order back, all of it if no amount is given", nil,
			command(s, "orders", http.StatusAccepted, nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, b refundBody) (reply[orders.Order], error) {
				o, err := service.Refund(ctx, tx, c.Param("id"), b.Amount, b.Reason, events.ByStaff)
				return answer(o), err
			})},
	}
}

func (b cancelBody) withDefaults() cancelBody {
	if b.Reason == "" {
		b.Reason = events.ReasonCustomerRequest
	}
	if b.CancelledBy == "" {
		b.CancelledBy = events.ByCustomer
	}
	return b
}
