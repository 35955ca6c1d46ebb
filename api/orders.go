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
	ProductID string        `json:"product_id"`
	Quantity  int64         `json:"quantity"`
	UnitPrice *events.Money `json:"unit_price,omitzero"`
}

type orderBody struct {
	OrderID         string          `json:"order_id,omitzero"`
	CustomerID      string          `json:"customer_id"`
	Currency        string          `json:"currency,omitzero"`
	Items           []lineBody      `json:"items"`
	ShippingAddress events.Address  `json:"shipping_address"`
	BillingAddress  *events.Address `json:"billing_address,omitzero"`
}

type cancelBody struct {
	Reason      string `json:"reason,omitzero"`
	CancelledBy string `json:"cancelled_by,omitzero"`
}

type refundBody struct {
	Amount *events.Money `json:"amount,omitzero"`
	Reason string        `json:"reason"`
}

const (
	defaultCurrency = "USD"
	maxLines        = 500
)

func checkOrder(c *requestCheck, b orderBody) {
	c.optionalID("/order_id", b.OrderID)
	c.id("/customer_id", b.CustomerID)
	if len(b.Items) == 0 || len(b.Items) > maxLines {
		c.wrong("/items", fmt.Sprintf("must have between 1 and %d lines", maxLines))
	}
	for i, line := range b.Items {
		c.id(fmt.Sprintf("/items/%d/product_id", i), line.ProductID)
		c.quantity(fmt.Sprintf("/items/%d/quantity", i), line.Quantity)
	}
	checkAddress(c, "/shipping_address", b.ShippingAddress)
	if b.BillingAddress != nil {
		checkAddress(c, "/billing_address", *b.BillingAddress)
	}
	if b.Currency != "" && !events.ValidCurrency(b.Currency) {
		c.wrong("/currency", "must be three capital letters such as USD")
	}
}

func checkAddress(c *requestCheck, path string, a events.Address) {
	for name, value := range map[string]string{"street": a.Street, "city": a.City, "zip": a.Zip, "country": a.Country} {
		if value == "" {
			c.wrong(path+"/"+name, "must not be empty")
		}
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
			command(s, "orders", http.StatusAccepted, checkCancel, func(ctx context.Context, tx *store.Tx, c *gin.Context, b cancelBody) (reply[orders.Order], error) {
				b = b.withDefaults()
				o, err := service.Cancel(ctx, tx, c.Param("id"), b.Reason, b.CancelledBy)
				return answer(o), err
			})},
		{http.MethodPost, "/orders/:id/refund", Operator, "Ask for money of a completed order back, all of it if no amount is given", nil,
			command(s, "orders", http.StatusAccepted, checkRefund, func(ctx context.Context, tx *store.Tx, c *gin.Context, b refundBody) (reply[orders.Order], error) {
				o, err := service.Refund(ctx, tx, c.Param("id"), b.Amount, b.Reason, events.ByStaff)
				return answer(o), err
			})},
	}
}

func checkRefund(c *requestCheck, b refundBody) { c.id("/reason", b.Reason) }

// cancelReasons are what a person may give; the others are the platform's own findings.
var cancelReasons = map[string]bool{events.ReasonCustomerRequest: true, events.ReasonProductUnavailable: true, events.ReasonFulfillmentFailed: true}

func checkCancel(c *requestCheck, b cancelBody) {
	b = b.withDefaults()
	if !cancelReasons[b.Reason] {
		c.wrong("/reason", "must be customer_request, product_unavailable or fulfillment_failed")
	}
	if b.CancelledBy != events.ByCustomer && b.CancelledBy != events.ByStaff {
		c.wrong("/cancelled_by", "must be customer or staff")
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
