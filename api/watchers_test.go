package api_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProductsAreFoundOverHTTP(t *testing.T) {
	p := start(t)
	for _, body := range []string{
		`{"product_id":"prod_1","name":"Organic Coffee","description":"Better than <b>tea</b>","category_id":"drinks","price":"24.99","attributes":{"weight":"1kg"}}`,
		`{"product_id":"prod_2","name":"Coffee Cup","category_id":"kitchen","price":"12.00"}`,
		`{"product_id":"prod_3","name":"Green Tea","category_id":"drinks","price":"9.99","is_active":false}`,
	} {
		p.want(201, "POST", "/products", body)
	}
	require.Eventually(t, func() bool { return p.send("GET", "/search", "").body["total"] == 3.0 }, 10*time.Second, 10*time.Millisecond)
	found := p.want(200, "GET", "/search?q=cofee&active=true&min_price=12.50", "")
	items := found.body["items"].([]any)
	require.Len(t, items, 1)
	hit := items[0].(map[string]any)
	require.Equal(t, "prod_1", hit["product_id"])
	require.Equal(t, "24.99", hit["price"])
	require.Equal(t, "Organic <em>Coffee</em>", hit["highlighted"].(map[string]any)["name"])
	require.Equal(t, []any{map[string]any{"word": "cofee", "instead": []any{"coffee"}}}, found.body["corrections"])
	facets := p.want(200, "GET", "/search?q=tea", "").body["facets"].(map[string]any)
	require.Equal(t, map[string]any{"categories": map[string]any{"drinks": 2.0}, "active": 1.0, "inactive": 1.0, "min_price": "9.99", "max_price": "24.99"}, facets)

	page := p.want(200, "GET", "/search?limit=2&sort=price", "")
	require.Len(t, page.body["items"], 2)
	rest := p.want(200, "GET", "/search?limit=2&sort=price&cursor="+url.QueryEscape(page.body["next_cursor"].(string)), "")
	require.Len(t, rest.body["items"], 1)
	require.Nil(t, rest.body["next_cursor"])
	for _, wrong := range []string{"?sort=colour", "?min_price=-1", "?active=perhaps", "?cursor=xx", "?limit=0"} {
		p.want(422, "GET", "/search"+wrong, "")
	}
}

func TestReportsOverHTTP(t *testing.T) {
	p := start(t)
	p.want(201, "POST", "/products", `{"product_id":"prod_1","name":"Tea","category_id":"drinks","price":"9.99"}`)
	require.Eventually(t, func() bool {
		return p.send("POST", "/inventory/adjust", `{"product_id":"prod_1","change":5,"adjustment_type":"restock"}`).status == 200
	}, 10*time.Second, 10*time.Millisecond)
	var report answer
	require.Eventually(t, func() bool {
		report = p.want(200, "GET", "/analytics/shrinkage", "")
		return len(report.body["items"].([]any)) == 1
	}, 10*time.Second, 10*time.Millisecond)
	row := report.body["items"].([]any)[0].(map[string]any)
	require.Equal(t, "restock", row["adjustment_type"])
	require.Equal(t, 5.0, row["gained"])
	begins, err := time.Parse(time.RFC3339, row["begins_at"].(string))
	require.NoError(t, err)
	require.Equal(t, begins.Truncate(24*time.Hour), begins, "a day, UTC")

	table := p.want(200, "GET", "/analytics/shrinkage?by=hour&format=csv", "")
	require.Equal(t, "text/csv; charset=utf-8", table.header.Get("Content-Type"))
	require.Regexp(t, `^begins_at,adjustment_type,adjustments,gained,lost,net\n\d{4}-\d\d-\d\dT\d\d:00:00Z,restock,1,5,0,5\n$`, table.raw)
	require.Equal(t, table.raw, p.send("GET", "/analytics/shrinkage?by=hour", "", "Accept", "text/csv").raw)
	require.Contains(t, p.want(200, "GET", "/analytics", "").raw, "low_stock")
	for _, item := range p.want(200, "GET", "/analytics", "").body["items"].([]any) {
		p.want(200, "GET", "/analytics/"+item.(map[string]any)["report"].(string)+"?by=hour&product_id=prod_1", "")
	}
	p.want(404, "GET", "/analytics/weather", "")
	p.want(422, "GET", "/analytics/orders?by=week", "")
	p.want(422, "GET", "/analytics/orders?from=yesterday", "")
}
