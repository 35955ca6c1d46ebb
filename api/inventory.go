package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/handlers/inventory"
	"github.com/first-viscount/viscount/store"
)

type adjustBody struct {
	ProductID       string `json:"product_id" rule:"id"`
	LocationID      string `json:"location_id,omitzero" rule:"id"`
	Change          int64  `json:"change"`
	AdjustmentType  string `json:"adjustment_type" oneof:"restock damage theft correction return manual"`
	Reason          string `json:"reason,omitzero"`
	ReferenceNumber string `json:"reference_number,omitzero"`
}

type reserveBody struct {
	ProductID  string `json:"product_id" rule:"id"`
	Quantity   int64  `json:"quantity" rule:"positive"`
	LocationID string `json:"location_id,omitzero" rule:"id"`
	OrderID    string `json:"order_id,omitzero" rule:"id"`
}

type releaseBody struct {
	ReservationID string `json:"reservation_id" rule:"id"`
	Reason        string `json:"reason" rule:"id"`
}

type thresholdBody struct {
	LocationID string `json:"location_id,omitzero" rule:"id"`
	Threshold  int64  `json:"threshold" rule:"not_negative"`
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
	if b.Change == 0 {
		c.wrong("/change", "must not be 0")
	}
}

type stockBody struct {
	ProductID string      `json:"product_id"`
	Locations []levelBody `json:"locations"`
}

func (s *Server) inventoryEndpoints() []endpoint {
	service := s.Platform.Inventory
	if service == nil {
		return nil
	}
	return []endpoint{
		{http.MethodGet, "/inventory/:id", Viewer, "The stock of a product, by location", nil,
			reading(s, "inventory", func(ctx context.Context, r store.Reader, c *gin.Context) (stockBody, error) {
				levels, err := service.Stock(ctx, r, c.Param("id"))
				return stockOf(c.Param("id"), levels), err
			})},
		{http.MethodGet, "/inventory/low-stock", Viewer, "Locations whose available stock is at or below its threshold", paged(),
			listing(s, "inventory", func(l levelBody) string { return l.ProductID + "\n" + l.LocationID },
				func(ctx context.Context, r store.Reader, _ *gin.Context, after string, limit int) ([]levelBody, error) {
					product, location, _ := strings.Cut(after, "\n")
					levels, err := service.LowStock(ctx, r, product, location, limit)
					return levelsOf(levels), err
				})},
		{http.MethodGet, "/inventory/reservations", Viewer, "Reservations, of one order if it is named", paged(ofOrder),
			listing(s, "inventory", func(r inventory.Reservation) string { return r.ReservationID },
				func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]inventory.Reservation, error) {
					return service.Reservations(ctx, r, c.Query("order_id"), after, limit)
				})},
		{http.MethodPost, "/inventory/adjust", Operator, "Change what is on hand by hand", nil,
			command(s, "inventory", http.StatusOK, checkAdjust, func(ctx context.Context, tx *store.Tx, _ *gin.Context, b adjustBody) (reply[levelBody], error) {
				level, err := service.Adjust(ctx, tx, inventory.Adjustment{
					ProductID: b.ProductID, LocationID: b.LocationID, Change: b.Change, Type: b.AdjustmentType, Reason: b.Reason, ReferenceNumber: b.ReferenceNumber,
				})
				return reply[levelBody]{body: levelOf(level)}, err
			})},
		{http.MethodPost, "/inventory/reserve", Operator, "Reserve stock for a while", nil,
			command(s, "inventory", http.StatusCreated, nil, func(ctx context.Context, tx *store.Tx, _ *gin.Context, b reserveBody) (reply[inventory.Reservation], error) {
				r, err := service.Reserve(ctx, tx, b.ProductID, b.LocationID, b.OrderID, b.Quantity)
				return reply[inventory.Reservation]{body: r}, err
			})},
		{http.MethodPost, "/inventory/release", Operator, "Give reserved stock back", nil,
			command(s, "inventory", http.StatusOK, nil, func(ctx context.Context, tx *store.Tx, _ *gin.Context, b releaseBody) (reply[inventory.Reservation], error) {
				r, err := service.Release(ctx, tx, b.ReservationID, b.Reason)
				return reply[inventory.Reservation]{body: r}, err
			})},
		{http.MethodPut, "/inventory/:id/threshold", Operator, "Set the available stock that raises the first alert", nil,
			command(s, "inventory", http.StatusOK, nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, b thresholdBody) (reply[levelBody], error) {
				level, err := service.SetThreshold(ctx, tx, c.Param("id"), b.LocationID, b.Threshold)
				return reply[levelBody]{body: levelOf(level)}, err
			})},
	}
}

var ofOrder = parameter{name: "order_id", sample: "", doc: "of this order only"}

func levelsOf(levels []inventory.Level) []levelBody {
	bodies := make([]levelBody, len(levels))
	for i, l := range levels {
		bodies[i] = levelOf(l)
	}
	return bodies
}

// stockOf names the product once.
func stockOf(product string, levels []inventory.Level) stockBody {
	b := stockBody{ProductID: product, Locations: levelsOf(levels)}
	for i := range b.Locations {
		b.Locations[i].ProductID = ""
	}
	return b
}
