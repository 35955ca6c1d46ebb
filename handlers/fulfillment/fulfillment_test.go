package fulfillment_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/fulfillment"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

func newKit(t *testing.T, failureRate float64) (*routertest.Kit, *fulfillment.Service) {
	ful := &fulfillment.Service{Provider: fulfillment.Simulated{FailureRate: failureRate, Seed: 1}}
	return routertest.New(t, fulfillment.Migrations, router.On(ful.Prepare), router.On(ful.Cancel), router.Call(fulfillment.SendJob, ful.AskSend, ful.RecordSent)), ful
}

var (
	validated = events.OrderValidated{OrderID: "order_1", ValidationResults: events.ValidationResults{InventoryCheck: "passed", PricingCheck: "passed", CustomerCheck: "passed"}}
	cancelled = events.OrderCancelled{OrderID: "order_1", CancellationReason: events.ReasonCustomerRequest, CancelledBy: events.ByCustomer, CancelledAt: time.Unix(0, 0)}
)

func status(k *routertest.Kit, ful *fulfillment.Service) (status string) {
	k.View(func(ctx context.Context, r store.Reader) error {
		all, err := ful.List(ctx, r, "order_1", "", 1)
		if len(all) > 0 {
			status = all[0].Status
		}
		return err
	})
	return status
}

func TestAValidatedOrderIsSent(t *testing.T) {
	k, ful := newKit(t, 0)
	k.Receive(validated)
	k.WantOnly(events.FulfillmentCompleted{OrderID: "order_1", Carrier: "simulated", CompletedAt: k.Now()})
	require.Equal(t, fulfillment.Completed, status(k, ful))
	k.WantIdempotent()
}

func TestACarrierThatRefuses(t *testing.T) {
	k, ful := newKit(t, 1)
	k.Receive(validated)
	k.WantOnly(events.FulfillmentFailed{OrderID: "order_1", Reason: "carrier_refused"})
	k.Receive(cancelled)
	k.WantIgnored("the fulfillment is failed")
	require.Equal(t, fulfillment.Failed, status(k, ful))
}

func TestACancellationThatComesFirstLeavesATombstone(t *testing.T) {
	k, ful := newKit(t, 0)
	k.Receive(cancelled)
	k.WantApplied()
	k.Receive(validated)
	k.WantIgnored("the order is cancelled already")
	k.WantOnly()
	require.Equal(t, fulfillment.Cancelled, status(k, ful))
	k.WantIdempotent()
}

func TestACancellationAfterwardsRecallsTheGoods(t *testing.T) {
	k, ful := newKit(t, 0)
	k.Receive(validated)
	k.Receive(cancelled)
	require.Equal(t, fulfillment.Recalled, status(k, ful))
	k.WantIdempotent()
}
