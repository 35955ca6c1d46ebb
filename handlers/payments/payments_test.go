package payments_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/payments"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

// provider answers as it is told and counts what was asked.
type provider struct {
	authorise, capture bool
	asked              map[string]int
	during             func() // runs once inside the next capture
}

func (p *provider) Authorise(_ context.Context, key string, _ events.Money, _ string) (bool, error) {
	p.asked[key]++
	return p.authorise, nil
}

func (p *provider) Capture(_ context.Context, key string, _ events.Money, _ string) (bool, error) {
	p.asked[key]++
	if during := p.during; during != nil {
		p.during = nil
		during()
	}
	return p.capture, nil
}

func (p *provider) Refund(_ context.Context, key string, _ events.Money, _ string) error {
	p.asked[key]++
	return nil
}

func newKit(t *testing.T) (*routertest.Kit, *payments.Service, *provider) {
	p := &provider{authorise: true, capture: true, asked: map[string]int{}}
	pay := &payments.Service{Provider: p}
	return routertest.New(t, payments.Migrations,
		router.On(pay.Authorise), router.On(pay.Capture), router.On(pay.Cancel), router.On(pay.Refund),
		router.Call(payments.AuthoriseJob, pay.AskAuthorise, pay.RecordAuthorise),
		router.Call(payments.CaptureJob, pay.AskCapture, pay.RecordCapture),
		router.Call(payments.RefundJob, pay.AskRefund, pay.RecordRefund)), pay, p
}

var home = events.Address{Street: "1 Main St", City: "Anytown", Zip: "12345", Country: "US"}

var (
	created = events.OrderCreated{
		OrderID: "order_1", CustomerID: "cust_1", TotalAmount: 1000, Currency: "USD", Status: "pending", ShippingAddress: home, BillingAddress: home,
		Items: []events.Item{{ProductID: "prod_1", Quantity: 1, UnitPrice: 1000, TotalPrice: 1000}},
	}
	validated = events.OrderValidated{OrderID: "order_1", ValidationResults: events.ValidationResults{InventoryCheck: "passed", PricingCheck: "passed", CustomerCheck: "passed"}}
	cancelled = events.OrderCancelled{OrderID: "order_1", CancellationReason: events.ReasonCustomerRequest, CancelledBy: events.ByCustomer, CancelledAt: time.Unix(0, 0)}
)

func payment(k *routertest.Kit, pay *payments.Service) (p payments.Payment) {
	k.View(func(ctx context.Context, r store.Reader) error {
		all, err := pay.List(ctx, r, "order_1", "", 1)
		if len(all) > 0 {
			p = all[0]
		}
		return err
	})
	return p
}

func TestAValidatedOrderIsCaptured(t *testing.T) {
	k, pay, _ := newKit(t)
	k.Receive(created)
	k.WantOnly()
	require.Equal(t, events.Money(1000), payment(k, pay).Authorised)
	k.Receive(validated)
	k.WantOnly(events.PaymentProcessed{OrderID: "order_1", Amount: 1000, Currency: "USD", Method: "card"})
	k.WantIdempotent()
}

func TestADeclinedAuthorisationIsSaidAtOnce(t *testing.T) {
	k, _, p := newKit(t)
	p.authorise = false
	k.Receive(created)
	k.WantOnly(events.PaymentFailed{OrderID: "order_1", Reason: events.ReasonDeclined, Amount: 1000})
	k.Receive(cancelled)
	k.WantIgnored("the payment had failed: that is the answer")
	k.WantOnly()
	k.WantIdempotent()
}

func TestAFailedCapture(t *testing.T) {
	k, _, p := newKit(t)
	p.capture = false
	k.Receive(created)
	k.Receive(validated)
	k.WantOnly(events.PaymentFailed{OrderID: "order_1", Reason: events.ReasonProviderError})
}

func TestACancelIsAnsweredExactlyOnce(t *testing.T) {
	t.Run("before the capture: voided", func(t *testing.T) {
		k, pay, _ := newKit(t)
		k.Receive(created)
		k.Receive(cancelled)
		k.WantOnly(events.PaymentFailed{OrderID: "order_1", Reason: events.ReasonVoided, Amount: 1000})
		k.Receive(cancelled)
		k.WantIgnored("the cancellation is answered already")
		require.Equal(t, payments.Voided, payment(k, pay).Status)
		k.WantIdempotent()
	})
	t.Run("after the capture: refunded", func(t *testing.T) {
		k, pay, p := newKit(t)
		k.Receive(created)
		k.Receive(validated)
		k.Receive(cancelled)
		k.WantOnly(events.PaymentRefunded{OrderID: "order_1", Amount: 1000, Reason: "order_cancelled", Method: "original_payment_method"})
		got := payment(k, pay)
		require.Equal(t, got.Captured, got.Refunded)
		k.WantIdempotent()
		for key, n := range p.asked {
			require.Equal(t, 1, n, key)
		}
	})
	t.Run("while the capture is on its way: processed, then refunded", func(t *testing.T) {
		k, pay, p := newKit(t)
		k.Receive(created)
		p.during = func() { // the cancellation overtakes the provider's answer
			k.Do(func(ctx context.Context, tx *store.Tx) error {
				return pay.Cancel(ctx, tx, events.Event[events.OrderCancelled]{Data: cancelled})
			})
		}
		k.Receive(validated)
		got := payment(k, pay)
		require.Equal(t, payments.Captured, got.Status)
		require.Equal(t, events.Money(1000), got.Refunded, "the answer is the money, once")
	})
}

func TestRefundsNeverExceedTheCapture(t *testing.T) {
	k, pay, _ := newKit(t)
	k.Receive(created)
	k.Receive(validated)
	for range 3 {
		k.Receive(events.OrderRefundRequested{OrderID: "order_1", RefundAmount: 400, RefundReason: "damaged", RequestedBy: "staff", RequestedAt: k.Now()})
	}
	k.WantOnly(events.PaymentRefunded{OrderID: "order_1", Amount: 200, Reason: "damaged"})
	require.Equal(t, events.Money(1000), payment(k, pay).Refunded)
	k.WantIdempotent()
}

func TestTheSimulatedProviderIsIdempotent(t *testing.T) {
	p := payments.Simulated{FailureRate: 0.5, Seed: 7}
	declined := 0
	for i := range 200 {
		key := string(rune('a'+i%26)) + string(rune('a'+i/26))
		first, err := p.Authorise(t.Context(), key, 1, "USD")
		require.NoError(t, err)
		again, err := p.Authorise(t.Context(), key, 1, "USD")
		require.NoError(t, err)
		require.Equal(t, first, again)
		if !first {
			declined++
		}
	}
	require.InDelta(t, 100, declined, 30)
}
