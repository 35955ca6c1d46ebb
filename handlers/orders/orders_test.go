package orders_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/orders"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m, "orders.NoteReleased") }

type fixture struct {
	*routertest.Kit
	t   *testing.T
	svc *orders.Service
}

func newKit(t *testing.T) fixture {
	s := &orders.Service{ReservationTTL: 15 * time.Minute, BlockedCustomers: []string{"cust_blocked"}}
	f := fixture{t: t, svc: s, Kit: routertest.New(t, orders.Migrations,
		router.On(s.TrackCreated), router.On(s.TrackUpdated), router.On(s.TrackDeleted), router.On(s.TrackPrice), router.On(s.TrackOutOfStock),
		router.On(s.NoteReserved), router.On(s.NoteReleased), router.On(s.NoteReservationFailed), router.On(s.NotePaid), router.On(s.NoteUnpaid),
		router.On(s.NoteRefunded), router.On(s.NoteFulfilled), router.On(s.NoteUnfulfilled), router.Do(orders.ExpireJob, s.Expire))}
	for _, id := range []string{"prod_1", "prod_2"} {
		f.Receive(events.ProductCreated{ProductID: id, Name: id, CategoryID: "c", Price: 250, IsActive: true})
	}
	f.Advance(time.Second)
	return f
}

var home = events.Address{Street: "1 Main St", City: "Anytown", Zip: "12345", Country: "US"}

func newOrder(id, customer string, lines ...orders.Line) orders.NewOrder {
	return orders.NewOrder{OrderID: id, CustomerID: customer, Currency: "USD", Lines: lines, Shipping: home, Billing: home}
}

func seen(price events.Money) *events.Money { return &price }

func (f fixture) try(n orders.NewOrder) error {
	return f.Try(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.svc.Create(ctx, tx, n)
		return err
	})
}

// place takes order_1 of two lines.
func (f fixture) place(customer string, price events.Money) {
	require.NoError(f.t, f.try(newOrder("order_1", customer, orders.Line{ProductID: "prod_1", Quantity: 2, UnitPrice: seen(price)}, orders.Line{ProductID: "prod_2", Quantity: 1})))
}

func (f fixture) reserve() {
	f.Receive(events.InventoryReserved{ReservationID: "res_1", ProductID: "prod_1", Quantity: 2, OrderID: "order_1"})
	f.Receive(events.InventoryReserved{ReservationID: "res_2", ProductID: "prod_2", Quantity: 1, OrderID: "order_1"})
}

func (f fixture) pay() {
	f.Receive(events.PaymentProcessed{PaymentID: "pay_1", OrderID: "order_1", Amount: 750, Currency: "USD", Method: "card", ProcessedAt: f.Now()})
}

func (f fixture) fulfil() {
	f.Receive(events.FulfillmentCompleted{FulfillmentID: "ful_1", OrderID: "order_1", CompletedAt: f.Now()})
}

func (f fixture) refunded(amount events.Money, reason string) {
	f.Receive(events.PaymentRefunded{PaymentID: "pay_1", RefundID: "ref_1", OrderID: "order_1", Amount: amount, Currency: "USD", Reason: reason, Method: "card", RefundedAt: f.Now()})
}

func (f fixture) unpaid(reason string) {
	f.Receive(events.PaymentFailed{OrderID: "order_1", Reason: reason, Amount: 750, Currency: "USD", FailedAt: f.Now()})
}

func (f fixture) cancel() error {
	return f.Try(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.svc.Cancel(ctx, tx, "order_1", events.ReasonCustomerRequest, events.ByCustomer)
		return err
	})
}

func (f fixture) order() (o orders.Order) {
	f.View(func(ctx context.Context, r store.Reader) (err error) {
		o, err = f.svc.Get(ctx, r, "order_1")
		return err
	})
	return o
}

func (f fixture) want(status string, settled bool) {
	f.t.Helper()
	o := f.order()
	require.Equal(f.t, status, o.Status)
	require.Equal(f.t, settled, o.Settled)
	require.Equal(f.t, status, o.History[len(o.History)-1].Status)
}

func TestAnOrderIsValidatedPaidSentAndCompleted(t *testing.T) {
	f := newKit(t)
	f.place("cust_1", 250)
	f.WantOnly(events.OrderCreated{OrderID: "order_1", TotalAmount: 750, Status: "pending"})
	f.reserve()
	f.WantOnly(events.OrderValidated{OrderID: "order_1", Reservations: []events.Reservation{{ProductID: "prod_1", ReservationID: "res_1", Quantity: 2}, {ProductID: "prod_2", ReservationID: "res_2", Quantity: 1}}})
	f.pay()
	f.WantOnly()
	f.fulfil()
	f.WantOnly(events.OrderCompleted{OrderID: "order_1", PaymentID: "pay_1", FulfillmentID: "ful_1", FinalAmount: 750, CustomerID: "cust_1", Currency: "USD"})
	f.want(orders.Completed, true)
	f.Advance(time.Hour)
	f.WantOnly()
	f.WantIdempotent()
}

func TestWrongPriceAndBlockedCustomerAreCancelled(t *testing.T) {
	for reason, place := range map[string]func(f fixture){
		events.ReasonPriceMismatch:   func(f fixture) { f.place("cust_1", 249) },
		events.ReasonCustomerBlocked: func(f fixture) { f.place("cust_blocked", 250) },
	} {
		t.Run(reason, func(t *testing.T) {
			f := newKit(t)
			place(f)
			f.reserve()
			f.WantOnly(events.OrderCancelled{OrderID: "order_1", CancellationReason: reason, CancelledBy: events.BySystem})
			f.want(orders.Cancelled, false)
			f.unpaid(events.ReasonVoided)
			f.want(orders.Cancelled, true)
			f.WantIdempotent()
		})
	}
}

func TestPricesAreJudgedAsOfTheOrdersCreation(t *testing.T) {
	f := newKit(t)
	f.place("cust_1", 250)
	f.Advance(time.Minute)
	f.Receive(events.ProductPriceChanged{ProductID: "prod_1", OldPrice: 250, NewPrice: 300})
	f.reserve()
	f.WantOnly(events.OrderValidated{OrderID: "order_1"})
	f.WantIdempotent()
}

func TestAPlannedPriceHoldsFromItsDate(t *testing.T) {
	f := newKit(t)
	tomorrow := f.Now().Add(24 * time.Hour)
	f.Receive(events.ProductPriceChanged{ProductID: "prod_1", OldPrice: 250, NewPrice: 300, EffectiveDate: &tomorrow})
	f.place("cust_1", 300) // too early
	f.reserve()
	f.WantOnly(events.OrderCancelled{OrderID: "order_1", CancellationReason: events.ReasonPriceMismatch})
	f.Advance(25 * time.Hour)
	require.NoError(t, f.try(newOrder("order_2", "cust_1", orders.Line{ProductID: "prod_1", Quantity: 1})))
	f.WantEmitted(events.OrderCreated{OrderID: "order_2", TotalAmount: 300})
	f.WantIdempotent()
}

func TestReservationFailureCancelsByItsReason(t *testing.T) {
	for said, reason := range map[string]string{
		events.ReasonInsufficientStock: events.ReasonInsufficientStock, events.ReasonUnknownProduct: events.ReasonProductUnavailable, events.ReasonInactiveProduct: events.ReasonProductUnavailable,
	} {
		f := newKit(t)
		f.place("cust_1", 250)
		f.Receive(events.InventoryReservationFailed{OrderID: "order_1", Reason: said})
		f.WantOnly(events.OrderCancelled{OrderID: "order_1", CancellationReason: reason})
		f.WantIdempotent()
	}
}

func TestADeclineCancelsAndIsTheAnswer(t *testing.T) {
	f := newKit(t)
	f.place("cust_1", 250)
	f.unpaid(events.ReasonDeclined)
	f.WantOnly(events.OrderCancelled{OrderID: "order_1", CancellationReason: events.ReasonPaymentDeclined, RefundRequired: false})
	f.want(orders.Cancelled, true)
	f.reserve()
	f.WantIgnored("the order is cancelled")
	f.WantIdempotent()
}

func TestFailedFulfillmentCancelsAndTheMoneyGoesBack(t *testing.T) {
	f := newKit(t)
	f.place("cust_1", 250)
	f.reserve()
	f.pay()
	f.Receive(events.FulfillmentFailed{OrderID: "order_1", Reason: "carrier_refused", FailedAt: f.Now()})
	f.WantOnly(events.OrderCancelled{OrderID: "order_1", CancellationReason: events.ReasonFulfillmentFailed, RefundRequired: true, RefundAmount: 750})
	f.refunded(750, "order_cancelled")
	f.WantOnly(events.OrderRefunded{OrderID: "order_1", RefundAmount: 750, RefundReason: "order_cancelled", CustomerID: "cust_1", Currency: "USD"})
	f.want(orders.Refunded, true)
	f.WantIdempotent()
}

func TestCancellationAtEveryStage(t *testing.T) {
	for name, before := range map[string]func(f fixture){
		"pending":   func(fixture) {},
		"validated": func(f fixture) { f.reserve() },
		"paid":      func(f fixture) { f.reserve(); f.pay() },
		"sent":      func(f fixture) { f.reserve(); f.fulfil() },
	} {
		t.Run(name, func(t *testing.T) {
			f := newKit(t)
			f.place("cust_1", 250)
			before(f)
			require.NoError(t, f.cancel())
			f.WantOnly(events.OrderCancelled{OrderID: "order_1", CancellationReason: events.ReasonCustomerRequest, CancelledBy: events.ByCustomer})
			require.ErrorContains(t, f.cancel(), store.IllegalTransition)
			f.fulfil()
			f.WantOnly()
			f.WantIdempotent()
		})
	}
	t.Run("completed", func(t *testing.T) {
		f := newKit(t)
		f.place("cust_1", 250)
		f.reserve()
		f.pay()
		f.fulfil()
		require.ErrorContains(t, f.cancel(), store.IllegalTransition)
	})
}

func TestPartialAndWholeRefunds(t *testing.T) {
	f := newKit(t)
	f.place("cust_1", 250)
	f.reserve()
	f.pay()
	f.fulfil()
	ask := func(amount *events.Money) error {
		return f.Try(func(ctx context.Context, tx *store.Tx) error {
			_, err := f.svc.Refund(ctx, tx, "order_1", amount, "damaged", events.ByStaff)
			return err
		})
	}
	require.NoError(t, ask(seen(200)))
	f.WantOnly(events.OrderRefundRequested{OrderID: "order_1", RefundAmount: 200, RefundReason: "damaged", RequestedBy: events.ByStaff})
	f.want(orders.Completed, false)
	require.ErrorContains(t, ask(seen(551)), "at most 5.50")
	f.refunded(200, "damaged")
	f.want(orders.Completed, true)
	require.NoError(t, ask(nil))
	f.refunded(550, "damaged")
	f.want(orders.Refunded, true)
	require.ErrorContains(t, ask(nil), store.IllegalTransition)
	require.Equal(t, events.Money(750), f.order().RefundedAmount)
	f.WantIdempotent()
}

func TestAPendingOrderExpires(t *testing.T) {
	f := newKit(t)
	f.place("cust_1", 250)
	f.Advance(14 * time.Minute)
	f.WantOnly()
	f.Advance(2 * time.Minute)
	f.WantOnly(events.OrderCancelled{OrderID: "order_1", CancellationReason: events.ReasonReservationExpired, CancelledBy: events.BySystem})
}

func TestOrdersThatAreRefused(t *testing.T) {
	f := newKit(t)
	f.Receive(events.ProductDeleted{ProductID: "prod_2"})
	f.Receive(events.ProductUpdated{ProductID: "prod_1", Name: "n", CategoryID: "c", Price: 250, IsActive: false})
	for product, code := range map[string]string{"prod_9": store.UnknownProduct, "prod_2": store.UnknownProduct, "prod_1": store.InactiveProduct} {
		var refused *store.Refused
		require.ErrorAs(t, f.try(newOrder("order_1", "cust_1", orders.Line{ProductID: product, Quantity: 1})), &refused)
		require.Equal(t, code, refused.Code)
		require.Equal(t, "/items/0/product_id", refused.Path)
		f.WantOnly()
	}
	f.WantIdempotent()
}

func TestARepeatedOrderIsTakenOnce(t *testing.T) {
	f := newKit(t)
	f.place("cust_1", 250)
	f.place("cust_1", 250)
	f.WantOnly()
	require.ErrorContains(t, f.try(newOrder("order_1", "cust_2", orders.Line{ProductID: "prod_1", Quantity: 1})), store.AlreadyExists)
}

func TestEventsAboutNoOrderOfOurs(t *testing.T) {
	f := newKit(t)
	f.Receive(events.InventoryReserved{ReservationID: "res_1", ProductID: "prod_1", Quantity: 1})
	f.WantIgnored("it is about no order of ours")
	f.Receive(events.InventoryReleased{ReservationID: "res_1", ProductID: "prod_1", Quantity: 1, Reason: "manual"})
	f.WantIgnored("a release follows the order's own cancellation")
	f.Receive(events.ProductOutOfStock{ProductID: "prod_9"})
	f.WantIgnored("the product is unknown here")
	f.Receive(events.ProductOutOfStock{ProductID: "prod_1"})
	f.WantApplied()
	f.WantIdempotent()
}
