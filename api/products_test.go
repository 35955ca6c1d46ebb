package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAProductTellsWhatIsAvailable(t *testing.T) {
	p := start(t)
	p.want(201, "POST", "/products", `{"product_id":"prod_1","name":"Tea","category_id":"drinks","price":"3.50"}`)
	p.want(201, "POST", "/products", `{"product_id":"prod_2","name":"Coffee","category_id":"drinks","price":"7.00"}`)
	require.NotContains(t, p.want(200, "GET", "/products/prod_2", "").body, "available", "nothing is known yet")
	adjust := func(location, change string) {
		p.eventually("inventory knows the product", func() bool {
			return p.send("POST", "/inventory/adjust", `{"product_id":"prod_1","location_id":"`+location+`","change":`+change+`,"adjustment_type":"restock"}`, "Idempotency-Key", location).status == 200
		})
	}
	adjust("main", "10")
	adjust("berlin", "3")
	p.eventually("the sum of both places", func() bool { return p.send("GET", "/products/prod_1", "").body["available"] == float64(13) })

	items := p.want(200, "GET", "/products", "").body["items"].([]any)
	require.Equal(t, float64(13), items[0].(map[string]any)["available"])
	require.NotContains(t, items[1], "available")
	require.Equal(t, `"1"`, p.want(200, "GET", "/products/prod_1", "").header.Get("ETag"), "stock makes no version")
	changed := p.want(200, "PUT", "/products/prod_1", `{"name":"Green tea","category_id":"drinks","price":"3.50","available":1}`, "If-Match", `"1"`)
	require.NotContains(t, changed.body, "available", "the catalog does not decide about it")
	require.NotContains(t, p.want(200, "GET", "/events/recorded?type=product.updated", "").raw, "available")
	require.Equal(t, float64(13), p.want(200, "GET", "/products/prod_1", "").body["available"])
}
