package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/search"
	"github.com/first-viscount/viscount/store"
)

// foundBody is a page of what a search found. Total and facets are about all of it, or of common words and of prices that many
// products have about a thousand.
type foundBody struct {
	Items       []search.Hit        `json:"items"`
	NextCursor  string              `json:"next_cursor,omitzero"`
	Total       int64               `json:"total"`
	AtLeast     bool                `json:"at_least,omitzero"` // there may be more than total, and facets count only so many
	Facets      search.Facets       `json:"facets"`
	Corrections []search.Correction `json:"corrections,omitzero"` // words that no product has, and what was looked for instead
}

func (s *Server) searchEndpoints() []endpoint {
	service := s.Platform.Search
	if service == nil {
		return nil
	}
	sorts := make([]string, len(search.Sorts))
	for i, sort := range search.Sorts {
		sorts[i] = string(sort)
	}
	return []endpoint{
		{http.MethodGet, "/search", Viewer, "Find products by words, also misspelt ones and the beginnings of words", paged(
			parameter{name: "q", sample: "", doc: "words that a product must have in its name, SKU, attributes or description; the last one may be a beginning"},
			parameter{name: "category", sample: "", doc: "of this category only"},
			parameter{name: "min_price", sample: events.Money(0), doc: "at this price or above, as in 12.50"},
			parameter{name: "max_price", sample: events.Money(0), doc: "at this price or below"},
			parameter{name: "active", sample: false, doc: "only those that can, or cannot, be ordered"},
			parameter{name: "sort", sample: "", oneOf: sorts, doc: "relevance if not given; newest: changed last"},
		), reading(s, "search", func(ctx context.Context, r store.Reader, c *gin.Context) (foundBody, error) {
			limit, after, err := paging(c)
			if err != nil {
				return foundBody{}, err
			}
			query, err := searchQuery(c)
			if err != nil {
				return foundBody{}, err
			}
			query.After, query.Limit = after, limit+1
			found, err := service.Find(ctx, r, query)
			hits := pageOf(found.Items, limit, search.Hit.Cursor)
			return foundBody{Items: hits.Items, NextCursor: hits.NextCursor, Total: found.Total, AtLeast: found.AtLeast, Facets: found.Facets, Corrections: found.Corrections}, err
		})},
	}
}

func searchQuery(c *gin.Context) (q search.Query, err error) {
	q = search.Query{Text: c.Query("q"), Category: c.Query("category"), Sort: search.Sort(c.Query("sort"))}
	if q.Active, err = flag(c, "active"); err != nil {
		return q, err
	}
	if q.MinPrice, err = money(c, "min_price"); err != nil {
		return q, err
	}
	q.MaxPrice, err = money(c, "max_price")
	return q, err
}

// money reads a parameter that is an amount; nil if it is not given.
func money(c *gin.Context, name string) (*events.Money, error) {
	text := c.Query(name)
	if text == "" {
		return nil, nil
	}
	amount, err := events.ParseMoney(text)
	if err != nil {
		return nil, store.Refuse(store.InvalidValue, "", "%s: %s", name, err)
	}
	return &amount, nil
}
