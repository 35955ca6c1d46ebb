package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/catalog"
	"github.com/first-viscount/viscount/store"
)

type productBody struct {
	ProductID     string         `json:"product_id,omitzero"`
	Name          string         `json:"name" rule:"text"`
	Description   string         `json:"description,omitzero"`
	CategoryID    string         `json:"category_id" rule:"id"`
	Price         events.Money   `json:"price"`
	SKU           string         `json:"sku,omitzero"`
	IsActive      *bool          `json:"is_active,omitzero"`
	Attributes    jsontext.Value `json:"attributes,omitzero" rule:"object"`
	EffectiveDate *time.Time     `json:"effective_date,omitzero"`
}

func (b productBody) product() catalog.Product {
	p := catalog.Product{
		ProductID: b.ProductID, Name: b.Name, Description: b.Description, CategoryID: b.CategoryID, Price: b.Price, SKU: b.SKU, IsActive: true, Attributes: b.Attributes,
	}
	if b.IsActive != nil {
		p.IsActive = *b.IsActive
	}
	return p
}

func (s *Server) catalogEndpoints() []endpoint {
	service := s.Platform.Catalog
	if service == nil {
		return nil
	}
	answer := func(p catalog.Product) reply[catalog.Product] {
		return reply[catalog.Product]{body: p, etag: etag(p.Version)}
	}
	return []endpoint{
		{http.MethodGet, "/products", Viewer, "Products", paged(
			parameter{name: "category", sample: "", doc: "of this category only"},
			parameter{name: "active", sample: false, doc: "only those that can, or cannot, be ordered"},
		), listing(s, "catalog", func(p catalog.Product) string { return p.ProductID },
			func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]catalog.Product, error) {
				active, err := flag(c, "active")
				if err != nil {
					return nil, err
				}
				return service.List(ctx, r, catalog.Filter{Category: c.Query("category"), Active: active, After: after, Limit: limit})
			})},
		{http.MethodGet, "/products/:id", Viewer, "One product", nil,
			reading(s, "catalog", func(ctx context.Context, r store.Reader, c *gin.Context) (catalog.Product, error) {
				p, err := service.Get(ctx, r, c.Param("id"))
				if err == nil {
					c.Header("ETag", etag(p.Version))
				}
				return p, err
			})},
		{http.MethodPost, "/products", Operator, "Create a product", nil,
			command(s, "catalog", http.StatusCreated, nil, func(ctx context.Context, tx *store.Tx, _ *gin.Context, b productBody) (reply[catalog.Product], error) {
				p, err := service.Create(ctx, tx, b.product())
				created := answer(p)
				created.location = "/api/v1/products/" + p.ProductID
				return created, err
			})},
		{http.MethodPut, "/products/:id", Operator, "Replace a product; its price changes at effective_date, at once if none is given", nil,
			command(s, "catalog", http.StatusOK, nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, b productBody) (reply[catalog.Product], error) {
				version, err := ifMatch(c)
				if err != nil {
					return reply[catalog.Product]{}, err
				}
				if b.ProductID != "" && b.ProductID != c.Param("id") {
					return reply[catalog.Product]{}, store.Refuse(store.InvalidValue, "/product_id", "must be %s as in the path", c.Param("id"))
				}
				b.ProductID = c.Param("id")
				p, err := service.Update(ctx, tx, b.product(), version, b.EffectiveDate)
				return answer(p), err
			})},
		{http.MethodDelete, "/products/:id", Operator, "Delete a product", []parameter{{name: "reason", sample: "", doc: "why; published with the deletion"}},
			command(s, "catalog", http.StatusNoContent, nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, _ nothing) (reply[nothing], error) {
				return reply[nothing]{}, service.Delete(ctx, tx, c.Param("id"), c.Query("reason"))
			})},
	}
}

// flag reads a parameter that is true or false; nil if it is not given.
func flag(c *gin.Context, name string) (*bool, error) {
	text := c.Query(name)
	if text == "" {
		return nil, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return nil, store.Refuse(store.InvalidValue, "", "%s must be true or false", name)
	}
	return &value, nil
}

func etag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

// ifMatch reads the version that the caller saw; 0 if it does not care.
func ifMatch(c *gin.Context) (int64, error) {
	text := c.GetHeader("If-Match")
	if text == "" || text == "*" {
		return 0, nil
	}
	version, err := strconv.ParseInt(strings.Trim(text, `"`), 10, 64)
	if err != nil || version < 1 {
		return 0, store.Refuse(store.Outdated, "", "If-Match %s is no version of this product", text)
	}
	return version, nil
}
