package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/handlers/procurement"
	"github.com/first-viscount/viscount/store"
)

type quantityBody struct {
	Quantity *int64 `json:"quantity,omitzero" rule:"positive"`
}

// value is 0 if no quantity was given.
func (b quantityBody) value() int64 {
	if b.Quantity == nil {
		return 0
	}
	return *b.Quantity
}

type reasonBody struct {
	Reason string `json:"reason,omitzero" rule:"id"`
}

func (s *Server) procurementEndpoints() []endpoint {
	service := s.Platform.Procurement
	if service == nil {
		return nil
	}
	answer := func(p procurement.PurchaseOrder) reply[procurement.PurchaseOrder] {
		return reply[procurement.PurchaseOrder]{body: p, correlationID: p.CorrelationID}
	}
	return []endpoint{
		{http.MethodGet, "/purchase-orders", Viewer, "Purchase orders", paged(
			parameter{name: "status", sample: "", oneOf: procurement.Statuses(), doc: "in this state only"},
			parameter{name: "product_id", sample: "", doc: "of this product only"},
			parameter{name: "location_id", sample: "", doc: "for this location only"},
		), listing(s, "procurement", func(p procurement.PurchaseOrder) string { return p.PurchaseOrderID },
			func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]procurement.PurchaseOrder, error) {
				return service.List(ctx, r, procurement.Filter{Status: c.Query("status"), ProductID: c.Query("product_id"), LocationID: c.Query("location_id"), After: after, Limit: limit})
			})},
		{http.MethodGet, "/purchase-orders/:id", Viewer, "One purchase order", nil,
			reading(s, "procurement", func(ctx context.Context, r store.Reader, c *gin.Context) (procurement.PurchaseOrder, error) {
				return service.Get(ctx, r, c.Param("id"))
			})},
		{http.MethodPost, "/purchase-orders/:id/approve", Operator, "Approve a proposal, in another quantity if one is given", nil,
			command(s, "procurement", http.StatusOK, nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, b quantityBody) (reply[procurement.PurchaseOrder], error) {
				p, err := service.Approve(ctx, tx, c.Param("id"), b.value())
				return answer(p), err
			})},
		{http.MethodPost, "/purchase-orders/:id/receive", Operator, "Take the goods of an approved purchase order into stock: all, or the quantity that came", nil,
			command(s, "procurement", http.StatusAccepted, nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, b quantityBody) (reply[procurement.PurchaseOrder], error) {
				p, err := service.Receive(ctx, tx, c.Param("id"), b.value())
				return answer(p), err
			})},
		{http.MethodPost, "/purchase-orders/:id/cancel", Operator, "Cancel a purchase order that is not received", nil,
			command(s, "procurement", http.StatusOK, nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, b reasonBody) (reply[procurement.PurchaseOrder], error) {
				p, err := service.Cancel(ctx, tx, c.Param("id"), b.Reason)
				return answer(p), err
			})},
	}
}
