package events_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
)

// TestPersonalDataIsMasked: by what the contract marks, and where no contract says what a value is.
func TestPersonalDataIsMasked(t *testing.T) {
	orders := events.OrderCreated{}.Contract().Topic()
	for name, c := range map[string]struct{ topic, raw, want string }{
		"as the contract marks it": {orders,
			`{"event_type":"order.created","data":{"order_id":"o1","shipping_address":{"street":"1 Main St","zip":null},"items":[{"product_id":"p1","quantity":0}]}}`,
			`{"event_type":"order.created","data":{"order_id":"o1","shipping_address":{"street":"[personal data]","zip":null},"items":[{"product_id":"p1","quantity":0}]}}`},
		"of another form than the contract's": {orders,
			`{"event_type":"order.created","data":{"shipping_address":"1 Main St","billing_address":["1 Main St"]}}`,
			`{"event_type":"order.created","data":{"shipping_address":"[personal data]","billing_address":["[personal data]"]}}`},
		"what the contract does not know": {orders,
			`{"event_type":"order.created","mail":"a@b.c","data":{"customerMail":"a@b.c","items":[{"note":{"mail":"a@b.c"}}]}}`,
			`{"event_type":"order.created","mail":"[not in the contract]","data":{"customerMail":"[not in the contract]","items":[{"note":{"mail":"[not in the contract]"}}]}}`},
		"an unknown type, by its topic": {orders,
			`{"event_type":"order.mailed","data":{"order_id":"o1","shipping_address":{"city":"X"}}}`,
			`{"event_type":"order.mailed","data":{"order_id":"o1","shipping_address":{"city":"[personal data]"}}}`},
		"an unknown type on an unknown topic": {"nowhere",
			`{"event_type":"order.mailed","data":{"order_id":"o1"}}`,
			`{"event_type":"order.mailed","data":{"order_id":"[not in the contract]"}}`},
		"a text where an object belongs": {orders, `"1 Main St"`, `"[not in the contract]"`},
		"attributes are the publisher's own": {events.ProductCreated{}.Contract().Topic(),
			`{"event_type":"product.created","data":{"attributes":{"organic":true,"origin":["Assam"]}}}`,
			`{"event_type":"product.created","data":{"attributes":{"organic":true,"origin":["Assam"]}}}`},
		"a key that stands twice": {orders,
			`{"event_type":"order.created","data":{"billing_address":{"city":"X"},"billing_address":{"city":"Y"}}}`,
			`{"event_type":"order.created","data":{"billing_address":{"city":"[personal data]"},"billing_address":{"city":"[personal data]"}}}`},
	} {
		masked, _, err := events.Platform().Mask(c.topic, []byte(c.raw))
		require.NoError(t, err, name)
		require.Equal(t, c.want, string(masked), name)
	}
	_, paths, err := events.Platform().Mask(orders, []byte(`{"event_type":"order.created","data":{"shipping_address":{"street":"s","city":"c"},"x":1}}`))
	require.NoError(t, err)
	require.Equal(t, []string{"/data/shipping_address/street", "/data/shipping_address/city", "/data/x"}, paths)
	for _, raw := range []string{`{"data":{"street":"1 Main`, ``, `{} {"street":"1 Main St"}`, `{"a":[1,`} {
		_, _, err := events.Platform().Mask(orders, []byte(raw))
		require.Error(t, err, "%q: nothing of it is safe to show", raw)
	}
}

func TestAJobsPayloadIsMaskedByItsType(t *testing.T) {
	type parcel struct {
		OrderID string         `json:"order_id"`
		To      events.Address `json:"to"`
	}
	masked, _, err := events.MaskAs[parcel]([]byte(`{"order_id":"o1","to":{"street":"1 Main St"}}`))
	require.NoError(t, err)
	require.Equal(t, `{"order_id":"o1","to":{"street":"[personal data]"}}`, string(masked))
}
