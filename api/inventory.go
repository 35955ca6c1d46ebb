package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/inventory"
	"github.com/first-viscount/viscount/store"
)

type adjustBody struct {
	ProductID       string `json:"product_id"`
	LocationID      string `json:"location_id,omitzero"`
	Change          int64  `json:"change"`
	AdjustmentType  string `json:"adjustment_type"`
	Reason          string `json:"reason,omitzero"`
	ReferenceNumber string `json:"reference_number,omitzero"`
}

type reserveBody struct {
	ProductID  string `json:"product_id"`
	Quantity   int64  `json:"quantity"`
	LocationID string `json:"location_id,omitzero"`
	OrderID    string `json:"order_id,omitzero"`
}

type releaseBody struct {
	ReservationID string `json:"reservation_id"`
	Reason        string `json:"reason"`
}

type thresholdBody struct {
	LocationID string `json:"location_id,omitzero"`
	Threshold  int64  `json:"threshold"`
}

type levelBody struct {
	ProductID  string `json:"product_id,omitzero"`
	LocationID string `json:"location_id"`
	Adjusted   int64  `json:"adjusted"`
	Shipped    int64  `json:"shipped"`
	OnHand     int64  `json:"on_hand"`
	Reserved   int64  `json:"reserved"`
	Available  int64  `json:"available"`
	Threshold  int64  `json:"threshold"`
}

func levelOf(l inventory.Level) levelBody {
	return levelBody{
		ProductID: l.ProductID, LocationID: l.LocationID, Adjusted: l.Adjusted, Shipped: l.Shipped, OnHand: l.OnHand(), Reserved: l.Reserved, Available: l.Available(), Threshold: l.Threshold,
	}
}

func checkAdjust(c *requestCheck, b adjustBody) {
	c.id("/product_id", b.ProductID)
	c.optionalID("/location_id", b.LocationID)
	if b.Change == 0 {
		c.wrong("/change", "must not be 0")
	}
	if !slices.Contains(events.Adjustments, b.AdjustmentType) {
		c.wrong("/adjustment_type", "must be one of "+strings.Join(events.Adjustments, ", "))
	}
}

func checkReserve(c *requestCheck, b reserveBody) {
	c.id("/product_id", b.ProductID)
	c.optionalID("/location_id", b.LocationID)
	c.optionalID("/order_id", b.OrderID)
	c.quantity("/quantity", b.Quantity)
}

func (s *Server) inventoryRoutes(g *gin.RouterGroup) {
	service := s.Platform.Inventory
	if service == nil {
		return
	}
	g.POST("/inventory/adjust", command(s, "inventory", checkAdjust, func(ctx context.Context, tx *store.Tx, _ *gin.Context, b adjustBody) (result, error) {
		level, err := service.Adjust(ctx, tx, inventory.Adjustment{
			ProductID: b.ProductID, LocationID: b.LocationID, Change: b.Change, Type: b.AdjustmentType, Reason: b.Reason, ReferenceNumber: b.ReferenceNumber,
		})
		return result{status: http.StatusOK, body: levelOf(level)}, err
	}))
	g.POST("/inventory/reserve", command(s, "inventory", checkReserve, func(ctx context.Context, tx *store.Tx, _ *gin.Context, b reserveBody) (result, error) {
		r, err := service.Reserve(ctx, tx, b.ProductID, b.LocationID, b.OrderID, b.Quantity)
		return result{status: http.StatusCreated, body: r}, err
	}))
	g.POST("/inventory/release", command(s, "inventory", func(c *requestCheck, b releaseBody) {
		c.id("/reservation_id", b.ReservationID)
		c.id("/reason", b.Reason)
	}, func(ctx context.Context, tx *store.Tx, _ *gin.Context, b releaseBody) (result, error) {
		r, err := service.Release(ctx, tx, b.ReservationID, b.Reason)
		return result{status: http.StatusOK, body: r}, err
	}))
	g.PUT("/inventory/:id/threshold", command(s, "inventory", func(c *requestCheck, b thresholdBody) {
		c.optionalID("/location_id", b.LocationID)
		if b.Threshold < 0 {
			c.wrong("/threshold", "must not be negative")
		}
	}, func(ctx context.Context, tx *store.Tx, c *gin.Context, b thresholdBody) (result, error) {
		level, err := service.SetThreshold(ctx, tx, c.Param("id"), b.LocationID, b.Threshold)
		return result{status: http.StatusOK, body: levelOf(level)}, err
	}))
	s.inventoryQueries(g, service)
}

func (s *Server) inventoryQueries(g *gin.RouterGroup, service *inventory.Service) {
	g.GET("/inventory/low-stock", func(c *gin.Context) {
		s.view(c, "inventory", func(ctx context.Context, r store.Reader) (any, error) {
			limit, after, err := paging(c)
			if err != nil {
				return nil, err
			}
			product, location, _ := strings.Cut(after, "\n")
			levels, err := service.LowStock(ctx, r, product, location, limit+1)
			bodies := make([]levelBody, len(levels))
			for i, l := range levels {
				bodies[i] = levelOf(l)
			}
			return pageOf(bodies, limit, func(l levelBody) string { return l.ProductID + "\n" + l.LocationID }), err
		})
	})
	g.GET("/inventory/reservations", func(c *gin.Context) {
		s.view(c, "inventory", func(ctx context.Context, r store.Reader) (any, error) {
			limit, after, err := paging(c)
			if err != nil {
				return nil, err
			}
			all, err := service.Reservations(ctx, r, c.Query("order_id"), after, limit+1)
			return pageOf(all, limit, func(r inventory.Reservation) string { return r.ReservationID }), err
		})
	})
	g.GET("/inventory/:id", func(c *gin.Context) {
		s.view(c, "inventory", func(ctx context.Context, r store.Reader) (any, error) {
			levels, err := service.Stock(ctx, r, c.Param("id"))
			bodies := make([]levelBody, len(levels))
			for i, l := range levels {
				l.ProductID = ""
				bodies[i] = levelOf(l)
			}
			return map[string]any{"product_id": c.Param("id"), "locations": bodies}, err
		})
	})
}
