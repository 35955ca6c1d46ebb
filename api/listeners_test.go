package api_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (a answer) items() []any {
	items, _ := a.body["items"].([]any)
	return items
}

func TestANotificationIsSentAgain(t *testing.T) {
	p := start(t)
	p.want(200, "PUT", "/notifications/contacts/cust_1", `{"name":"Ada","email":"ada@example.org"}`)
	p.stock()
	const sent = "/notifications?customer_id=cust_1&status=sent&channel=email"
	p.eventually("a mail is sent", func() bool { return len(p.want(200, "GET", sent, "").items()) > 0 })
	first := p.want(200, "GET", sent, "").items()[0].(map[string]any)
	again := p.want(202, "POST", "/notifications/"+first["message_id"].(string)+"/resend", "")
	require.Equal(t, "sending", again.body["status"])
	p.eventually("it is sent again", func() bool {
		m := p.want(200, "GET", "/notifications/"+first["message_id"].(string), "").body
		return m["status"] == "sent" && m["sent_at"] != first["sent_at"]
	})
	require.Equal(t, first["notices"], p.want(200, "GET", "/notifications/"+first["message_id"].(string), "").body["notices"])
}

func TestAPurchaseOrderIsCancelled(t *testing.T) {
	p := stocked(t)
	p.want(200, "PUT", "/inventory/prod_1/threshold", `{"threshold":5}`)
	p.want(200, "POST", "/inventory/adjust", `{"product_id":"prod_1","change":-5,"adjustment_type":"damage"}`)
	const open = "/purchase-orders?product_id=prod_1&status=proposed"
	p.eventually("a purchase order is proposed", func() bool { return len(p.want(200, "GET", open, "").items()) == 1 })
	id := p.want(200, "GET", open, "").items()[0].(map[string]any)["purchase_order_id"].(string)
	cancelled := p.want(200, "POST", "/purchase-orders/"+id+"/cancel", `{"reason":"too dear"}`)
	require.Equal(t, []any{"cancelled", "too dear"}, []any{cancelled.body["status"], cancelled.body["note"]})
	require.Equal(t, cancelled.body, p.want(200, "GET", "/purchase-orders/"+id, "").body)
	require.Empty(t, p.want(200, "GET", open, "").items())
	require.Equal(t, "illegal_transition", p.want(409, "POST", "/purchase-orders/"+id+"/cancel", "{}").body["code"])
}

func TestTheAuditTrailIsFiltered(t *testing.T) {
	p := stocked(t)
	p.want(200, "POST", "/inventory/adjust", `{"product_id":"prod_1","location_id":"berlin","change":4,"adjustment_type":"return","reference_number":"rma_1"}`, "X-Correlation-ID", "of_the_return")
	p.eventually("both adjustments are in the trail", func() bool { return len(p.want(200, "GET", "/audit", "").items()) == 2 })
	all := p.want(200, "GET", "/audit", "").items()
	first, second := all[0].(map[string]any), all[1].(map[string]any)
	later := second["occurred_at"].(string)
	_, err := time.Parse(time.RFC3339Nano, later)
	require.NoError(t, err)
	for filter, want := range map[string][]any{
		"product_id=prod_1":                  {first, second},
		"product_id=prod_2":                  {},
		"location_id=berlin":                 {second},
		"adjustment_type=restock":            {first},
		"reference_number=rma_1":             {second},
		"correlation_id=of_the_return":       {second},
		"since=" + later:                     {second},
		"until=" + later:                     {first},
		"product_id=prod_1&location_id=none": {},
	} {
		require.Equal(t, want, p.want(200, "GET", "/audit?"+filter, "").items(), filter)
	}
}
