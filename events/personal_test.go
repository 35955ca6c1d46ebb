package events_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
)

func TestRedactedEventsKeepToTheirContract(t *testing.T) {
	raw, err := os.ReadFile("testdata/order.created.json")
	require.NoError(t, err)
	var message map[string]any
	require.NoError(t, json.Unmarshal(raw, &message))
	data := message["data"].(map[string]any)
	data["customer_email"] = "ada@example.org" // what no contract knows may be personal, too
	data["shipping_address"].(map[string]any)["name"] = "Ada Lovelace"
	data["items"].([]any)[0].(map[string]any)["wrapping"] = "gift"
	message["note"] = "ring at Lovelace"
	raw, err = json.Marshal(message)
	require.NoError(t, err)
	d, err := events.Platform().Decode(raw)
	require.NoError(t, err)
	require.Equal(t, data["customer_id"], d.Subject())

	redacted, err := d.Redacted()
	require.NoError(t, err)
	for _, gone := range []string{"Lovelace", "ada@example.org", "Main St", "Anytown", "gift"} {
		require.NotContains(t, string(redacted), gone)
	}
	again, err := events.Platform().Decode(redacted)
	require.NoError(t, err, "%s", redacted)
	require.Equal(t, d.Envelope, again.Envelope)
	was, is := d.Payload.(events.OrderCreated), again.Payload.(events.OrderCreated)
	require.Equal(t, events.Address{Street: events.Erased, City: events.Erased, State: events.Erased, Zip: events.Erased, Country: events.Erased}, is.ShippingAddress)
	was.ShippingAddress, was.BillingAddress = is.ShippingAddress, is.BillingAddress
	require.Equal(t, was, is, "nothing else changes")
	twice, err := again.Redacted()
	require.NoError(t, err)
	require.Equal(t, string(redacted), string(twice))
}

func TestEventsWithoutPersonalDataAreAboutNobody(t *testing.T) {
	for _, d := range events.Platform().All() {
		require.Equal(t, d.Contract.Type == "order.created", d.Personal(), d.Contract.Type)
	}
	raw, err := os.ReadFile("testdata/order.completed.json")
	require.NoError(t, err)
	d, err := events.Platform().Decode(raw)
	require.NoError(t, err)
	require.Empty(t, d.Subject())
}

type letter struct {
	ID   string `json:"id"`
	To   string `json:"to" class:"personal"`
	From string `json:"from"`
}

func (letter) Contract() events.Contract {
	return events.Contract{Type: "letter.sent", Version: "1.0", Key: "id", Publisher: "post-service"}
}
func (letter) Validate() error { return nil }

func TestPersonalDataOfNobodyIsNoContract(t *testing.T) {
	_, err := events.Platform().With(events.Define[letter]())
	require.ErrorContains(t, err, `contract letter.sent: it holds personal data, so mark the string field that names whose it is with class:"subject"`)
}
