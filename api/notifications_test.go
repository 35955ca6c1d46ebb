package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAContactIsKeptAsItIsGivenAndRefusedFieldByField also keeps header lines out of mails.
func TestAContactIsKeptAsItIsGivenAndRefusedFieldByField(t *testing.T) {
	p := start(t)
	const path = "/notifications/contacts/cust_1"
	p.want(404, "GET", path, "")
	whole := `{"name":"Ada","email":"ada@example.org","watched_products":["prod_2","prod_1","prod_1"],"preferences":{"orders":["email","webhook"],"products":[]},"quiet_hours":{"from":"22:00","to":"07:00","timezone":"Europe/Berlin"}}`
	p.want(200, "PUT", path, whole)
	require.JSONEq(t, `{"customer_id":"cust_1","name":"Ada","email":"ada@example.org","watched_products":["prod_1","prod_2"],"preferences":{"orders":["email","webhook"],"products":[]},"quiet_hours":{"from":"22:00","to":"07:00","timezone":"Europe/Berlin"}}`,
		p.want(200, "GET", path, "").raw)
	p.want(200, "PUT", path, `{"name":"Ada"}`)
	require.JSONEq(t, `{"customer_id":"cust_1","name":"Ada","watched_products":[]}`, p.want(200, "GET", path, "").raw, "in place of what was known")
	for body, wrong := range map[string]string{
		`{"name":""}`:                                                                  "/name",
		`{"name":"A\nBcc: x@example.org"}`:                                             "/name",
		`{"name":"Ada","email":"ada"}`:                                                 "/email",
		`{"name":"Ada","email":"Ada <ada@example.org>"}`:                               "/email",
		`{"name":"Ada","watched_products":[""]}`:                                       "/watched_products/0",
		`{"name":"Ada","preferences":{"orders":["sms"]}}`:                              "/preferences/orders/0",
		`{"name":"Ada","quiet_hours":{"from":"9","to":"10:00"}}`:                       "/quiet_hours/from",
		`{"name":"Ada","quiet_hours":{"from":"09:00","to":"10:00","timezone":"Mars"}}`: "/quiet_hours/timezone",
		`{"name":"Ada","webhook":"https://example.org/hook"}`:                          "/webhook", // off without a secret
	} {
		refused := p.want(422, "PUT", path, body)
		require.Contains(t, refused.raw, `"path":"`+wrong+`"`, body)
	}
	p.want(404, "POST", "/notifications/msg_1/resend", "")
	p.want(404, "GET", "/notifications/secrets/customer:cust_1", "")
}
