package shipping_test

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"example.com/shipping"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router/routertest"
)

func TestAFulfilledOrderIsOneParcel(t *testing.T) {
	kit := routertest.For(t, shipping.Consumer())
	kit.Receive(events.FulfillmentCompleted{FulfillmentID: "ful_1", OrderID: "order_1", Carrier: "dhl", CompletedAt: kit.Now()})
	kit.WantOnly(shipping.ParcelSent{OrderID: "order_1", Carrier: "dhl", SentAt: kit.Now()})

	kit.Receive(events.FulfillmentCompleted{FulfillmentID: "ful_2", OrderID: "order_2", CompletedAt: kit.Now()})
	kit.WantIgnored("collected by the customer")
	kit.WantOnly()
	kit.WantIdempotent() // every event again, twice and shuffled: no row and no event differs
}

func TestAParcelWithoutCarrierIsRefused(t *testing.T) {
	err := shipping.ParcelSent{ParcelID: "parcel_1", OrderID: "order_1", SentAt: time.Now()}.Validate()
	if want := "/carrier: missing_field: is required"; err == nil || err.Error() != want {
		t.Errorf("refused with %v, want %s", err, want)
	}
}

func TestOnlyTheKafkaClientIsLinked(t *testing.T) {
	list, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/shipping").Output()
	if err != nil {
		t.Fatalf("listing what is linked: %v", err)
	}
	linked := func(client string) bool { return strings.Contains(string(list), client) }
	if !linked("github.com/twmb/franz-go/pkg/kgo\n") {
		t.Error("the Kafka client is not linked")
	}
	for _, other := range []string{"cloud.google.com/go/pubsub", "watermill-googlecloud", "watermill-sql", "viscount/transports/sql", "viscount/transports/gochannel", "viscount/transports/googlecloud"} {
		if linked(other) {
			t.Errorf("%s is linked and not used", other)
		}
	}
}
