package api_test

import (
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

func TestCustomersAndAccountsOverHTTP(t *testing.T) {
	p := stocked(t)
	p.eventually("the customer has an order", func() bool { return p.send("GET", "/customers/cust_1", "").status == 200 })
	p.want(202, "POST", "/orders/order_1/refund", `{"amount":"1.50","reason":"damaged"}`)
	p.eventually("the refund is reconciled", func() bool {
		return len(p.send("GET", "/accounting/journal", "").body["items"].([]any)) == 3 && strings.Contains(p.send("GET", "/customers/cust_1", "").raw, `"refunded_amount":"1.50"`)
	})
	require.JSONEq(t, `{"customer_id":"cust_1","points":{"balance":5,"earned":7,"taken_back":2},
		"lifetime_value":[{"currency":"USD","orders":1,"final_amount":"7.00","refunded_amount":"1.50","net_amount":"5.50"}]}`, p.want(200, "GET", "/customers/cust_1", "").raw)
	require.Contains(t, p.want(200, "GET", "/customers/cust_1/orders?limit=1", "").raw, `"order_id":"order_1"`)
	p.want(404, "GET", "/customers/cust_9", "")

	balance := p.want(200, "GET", "/accounting/trial-balance", "").raw
	require.Contains(t, balance, `"debits":"10.00"`)
	require.Contains(t, balance, `"credits":"10.00"`)
	require.Contains(t, balance, `"balanced":true`)
	require.JSONEq(t, `{"through":"2020-01","currencies":[]}`, p.want(200, "GET", "/accounting/trial-balance?through=2020-01", "").raw)
	require.Contains(t, p.want(422, "GET", "/accounting/trial-balance?through=2020", "").raw, "through must be a month such as 2026-01")

	first := p.want(200, "GET", "/accounting/journal?limit=2", "")
	rest := p.want(200, "GET", "/accounting/journal?limit=2&cursor="+first.body["next_cursor"].(string), "")
	require.Len(t, rest.body["items"], 1)
	p.want(422, "GET", "/accounting/journal?cursor=x", "")
	p.want(422, "GET", "/accounting/journal?format=xml", "")

	file := p.want(200, "GET", "/accounting/journal?format=csv", "")
	require.Equal(t, "text/csv; charset=utf-8", file.header.Get("Content-Type"))
	rows, err := csv.NewReader(strings.NewReader(file.raw)).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	require.Equal(t, []string{"USD", "7.00", "1000", "4000"}, rows[1][7:])
	file = p.want(200, "GET", "/accounting/journal?format=ndjson&order_id=order_1", "")
	require.Equal(t, 3, strings.Count(file.raw, "\n"))
	for line := range strings.Lines(file.raw) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(strings.TrimSpace(line)), &entry))
		require.Equal(t, "order_1", entry["order_id"])
	}
}

func TestAClosedPeriodOverHTTP(t *testing.T) {
	p := stocked(t)
	now := time.Now().UTC()
	require.Contains(t, p.want(409, "POST", "/accounting/periods/"+now.Format("2006-01")+"/close", "").raw, "an hour after its end")
	p.want(422, "POST", "/accounting/periods/january/close", "")
	p.want(200, "POST", "/accounting/periods/2026-01/close", "")
	require.Contains(t, p.want(200, "GET", "/accounting/periods", "").raw, `"period":"2026-01"`)
	late := strings.NewReplacer("payment.failed", "payment.processed", `"reason":"declined"`, `"payment_id":"pay_x","method":"card"`, "failed_at", "processed_at").Replace(validEvent)
	p.want(202, "POST", "/events", late)
	p.eventually("the late event is posted", func() bool {
		return strings.Contains(p.send("GET", "/accounting/journal?order_id=order_x", "").raw, `"period":"2026-02","late_of":"20`)
	})
}
