package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/handlers/customers"
	"github.com/first-viscount/viscount/store"
)

func (s *Server) customerEndpoints() []endpoint {
	service := s.Platform.Customers
	if service == nil {
		return nil
	}
	return append([]endpoint{
		{http.MethodGet, "/customers/:id", Viewer, "A customer's lifetime value and loyalty points", nil,
			reading(s, "customers", func(ctx context.Context, r store.Reader, c *gin.Context) (customers.Customer, error) {
				return service.Get(ctx, r, c.Param("id"))
			})},
		{http.MethodGet, "/customers/:id/orders", Viewer, "A customer's orders that were completed or refunded", paged(),
			listing(s, "customers", func(o customers.Order) string { return o.OrderID },
				func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]customers.Order, error) {
					return service.Orders(ctx, r, c.Param("id"), after, limit)
				})},
	}, s.erasureEndpoints(service)...)
}
