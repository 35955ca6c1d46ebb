package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/handlers/payments"
	"github.com/first-viscount/viscount/store"
)

func (s *Server) paymentEndpoints() []endpoint {
	service := s.Platform.Payments
	if service == nil {
		return nil
	}
	return []endpoint{
		{http.MethodGet, "/payments", Viewer, "Payments, of one order if it is named", paged(ofOrder),
			listing(s, "payments", func(one payments.Payment) string { return one.OrderID },
				func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]payments.Payment, error) {
					return service.List(ctx, r, c.Query("order_id"), after, limit)
				})},
	}
}
