package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/handlers/fulfillment"
	"github.com/first-viscount/viscount/store"
)

func (s *Server) fulfillmentEndpoints() []endpoint {
	service := s.Platform.Fulfillment
	if service == nil {
		return nil
	}
	return []endpoint{
		{http.MethodGet, "/fulfillments", Viewer, "Fulfillments, of one order if it is named", paged(ofOrder),
			listing(s, "fulfillment", func(one fulfillment.Fulfillment) string { return one.OrderID },
				func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]fulfillment.Fulfillment, error) {
					return service.List(ctx, r, c.Query("order_id"), after, limit)
				})},
	}
}
