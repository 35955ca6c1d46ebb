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
	Name          string         `json:"name"`
	Description   string         `json:"description,omitzero"`
	CategoryID    string         `json:"category_id"`
	Price         events.Money   `json:"price"`
	SKU           string         `json:"sku,omitzero"`
	IsActive      *bool          `json:"is_active,omitzero"`
	Attributes    jsontext.Value `json:"attributes,omitzero" json_kind:"object"`
	EffectiveDate *time.Time     `json:"effective_date,omitzero"`
}

func checkProduct(c *requestCheck, b productBody) {
	c.optionalID("/product_id", b.ProductID)
	c.id("/category_id", b.CategoryID)
	if b.Name == "" {
		c.wrong("/name", "must not be empty")
	}
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

func (s *Server) catalogRoutes(g *gin.RouterGroup) {
	service := s.Platform.Catalog
	if service == nil {
		return
	}
	g.POST("/products", command(s, "catalog", checkProduct, func(ctx context.Context, tx *store.Tx, _ *gin.Context, b productBody) (result, error) {
		p, err := service.Create(ctx, tx, b.product())
		return result{status: http.StatusCreated, body: p, location: "/api/v1/products/" + p.ProductID, etag: etag(p.Version)}, err
	}))
	g.PUT("/products/:id", command(s, "catalog", checkProduct, func(ctx context.Context, tx *store.Tx, c *gin.Context, b productBody) (result, error) {
		version, err := ifMatch(c)
		if err != nil {
			return result{}, err
		}
		if b.ProductID != "" && b.ProductID != c.Param("id") {
			return result{}, store.Refuse(store.InvalidValue, "/product_id", "must be %s as in the path", c.Param("id"))
		}
		b.ProductID = c.Param("id")
		p, err := service.Update(ctx, tx, b.product(), version, b.EffectiveDate)
		return result{status: http.StatusOK, body: p, etag: etag(p.Version)}, err
	}))
	g.DELETE("/products/:id", command(s, "catalog", nil, func(ctx context.Context, tx *store.Tx, c *gin.Context, _ struct{}) (result, error) {
		return result{status: http.StatusNoContent}, service.Delete(ctx, tx, c.Param("id"), c.Query("reason"))
	}))
	g.GET("/products/:id", func(c *gin.Context) {
		s.view(c, "catalog", func(ctx context.Context, r store.Reader) (any, error) {
			p, err := service.Get(ctx, r, c.Param("id"))
			c.Header("ETag", etag(p.Version))
			return p, err
		})
	})
	g.GET("/products", func(c *gin.Context) {
		s.view(c, "catalog", func(ctx context.Context, r store.Reader) (any, error) {
			limit, after, err := paging(c)
			if err != nil {
				return nil, err
			}
			f := catalog.Filter{Category: c.Query("category"), After: after, Limit: limit + 1}
			if text := c.Query("active"); text != "" {
				active, err := strconv.ParseBool(text)
				if err != nil {
					return nil, store.Refuse(store.InvalidValue, "", "active must be true or false")
				}
				f.Active = &active
			}
			products, err := service.List(ctx, r, f)
			return pageOf(products, limit, func(p catalog.Product) string { return p.ProductID }), err
		})
	})
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
