package notifications_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/notifications"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

// post is a mail server and all the webhooks of the world: it notes what it is given.
type post struct {
	mails     []notifications.Mail
	hooks     []notifications.Hook
	answer    notifications.Answer
	down      error
	forgotten []string
	kept      map[string]bool // as files
	during    func()          // happens while a mail is being written
}

func (p *post) Send(_ context.Context, m notifications.Mail) (notifications.Answer, error) {
	if p.down != nil {
		return notifications.Answer{}, p.down
	}
	p.mails = append(p.mails, m)
	if p.during != nil {
		p.during()
	}
	p.kept[m.Key] = true
	return p.answer, nil
}

func (p *post) Forget(_ context.Context, keys []string) error {
	p.forgotten = append(p.forgotten, keys...)
	for _, key := range keys {
		delete(p.kept, key)
	}
	return nil
}

func (p *post) Call(_ context.Context, h notifications.Hook) (notifications.Answer, error) {
	p.hooks = append(p.hooks, h)
	return p.answer, nil
}

func (p *post) Check(string) error { return nil }

func (p *post) Secret(recipient string) string { return "whsec_" + recipient }

type fixture struct {
	*routertest.Kit
	t    *testing.T
	s    *notifications.Service
	post *post
}

func newKit(t *testing.T) fixture {
	p := &post{answer: notifications.Answer{Sent: true}, kept: map[string]bool{}}
	s := &notifications.Service{Mail: p, Hooks: p, Staff: notifications.Staff{Emails: []string{"staff@example.org"}}, Digest: 15 * time.Minute}
	return fixture{t: t, s: s, post: p, Kit: routertest.New(t, notifications.Migrations,
		router.On(s.TellCreated), router.On(s.TellValidated), router.On(s.TellCancelled), router.On(s.TellPrice), router.On(s.TellOutOfStock), router.On(s.TellLowStock),
		router.Do(notifications.PlanJob, s.Dispatch), router.Call(notifications.SendJob, s.Send, s.RecordSent), router.Call(notifications.ForgetJob, s.AskForget, s.RecordForgotten))}
}

var ada = notifications.Contact{CustomerID: "cust_1", Name: "Ada", Email: "ada@example.org", Webhook: "https://example.org/hook", Watched: []string{"prod_1"}}

func (f fixture) put(c notifications.Contact) {
	f.Do(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.s.PutContact(ctx, tx, c)
		return err
	})
}

func (f fixture) list(filter notifications.Filter) (all []notifications.Message) {
	f.t.Helper()
	filter.Limit = 1000
	f.View(func(ctx context.Context, r store.Reader) (err error) {
		all, err = f.s.List(ctx, r, filter)
		return err
	})
	return all
}

// only is the one message that there is.
func (f fixture) only() notifications.Message {
	f.t.Helper()
	all := f.list(notifications.Filter{})
	require.Len(f.t, all, 1)
	return all[0]
}

func created(id string) events.OrderCreated {
	home := events.Address{Street: "1 Main St", City: "Anytown", Zip: "12345", Country: "US"}
	return events.OrderCreated{
		OrderID: id, CustomerID: "cust_1", TotalAmount: 4598, Currency: "USD", Status: "pending", ShippingAddress: home, BillingAddress: home,
		Items: []events.Item{{ProductID: "prod_1", Quantity: 2, UnitPrice: 2299, TotalPrice: 4598}},
	}
}

func validated(id string) events.OrderValidated {
	return events.OrderValidated{OrderID: id, ValidationResults: events.ValidationResults{InventoryCheck: "passed", PricingCheck: "passed", CustomerCheck: "passed"}}
}

func cancelled(id string, refund events.Money) events.OrderCancelled {
	return events.OrderCancelled{OrderID: id, CancellationReason: events.ReasonCustomerRequest, CancelledBy: events.ByCustomer, CancelledAt: time.Unix(0, 0), RefundRequired: refund > 0, RefundAmount: refund}
}

func low(product string) events.InventoryLowStockAlert {
	return events.InventoryLowStockAlert{ProductID: product, LocationID: "warehouse_main", CurrentQuantity: 8, Threshold: 10, AlertLevel: events.AlertWarning}
}

func TestACustomerIsToldOfAnOrderThroughEveryChannel(t *testing.T) {
	f := newKit(t)
	f.Receive(created("order_0")) // of nobody who left an address
	f.WantApplied()
	f.put(ada)
	f.Receive(created("order_1"))
	f.Receive(validated("order_1"))
	f.Receive(cancelled("order_1", 4598))
	require.Len(t, f.post.mails, 3)
	require.Len(t, f.post.hooks, 3)
	mail := f.post.mails[2]
	require.Equal(t, "ada@example.org", mail.To)
	require.Equal(t, "Your order order_1 is cancelled", mail.Subject)
	require.Equal(t, "Hello Ada,\n\nyour order order_1 over 45.98 USD is cancelled (customer request).\nWe send 45.98 USD back to you.\n", mail.Text)
	require.Contains(t, mail.HTML, "<b>order_1</b>")
	require.JSONEq(t, fmt.Sprintf(`{"event_id": %q, "type": "order.validated", "timestamp": "2026-01-15T12:00:00Z", "data": {"order_id": "order_1", "total_amount": "45.98", "currency": "USD"}}`,
		f.list(notifications.Filter{})[2].Notices[0].EventID), string(f.post.hooks[1].Body))

	all := f.list(notifications.Filter{CustomerID: "cust_1"})
	require.Len(t, all, 6)
	for _, m := range all {
		require.Equal(t, notifications.Sent, m.Status)
		require.Len(t, m.Notices, 1)
	}
	f.WantIdempotent()
	require.Len(t, f.post.mails, 3)
	require.Len(t, f.post.hooks, 3)
}

// TestACancellationPromisesNothingThatPaymentsMayDoOtherwise: an order may be cancelled without a word about a refund while its
// payment is being taken, which is then refunded.
func TestACancellationPromisesNothingThatPaymentsMayDoOtherwise(t *testing.T) {
	f := newKit(t)
	f.put(ada)
	f.Receive(created("order_1"))
	f.Receive(cancelled("order_1", 0))
	mail := f.post.mails[1]
	require.Equal(t, "Hello Ada,\n\nyour order order_1 over 45.98 USD is cancelled (customer request).\nIf you have paid already, the money comes back to you.\n", mail.Text)
	require.Contains(t, mail.HTML, "If you have paid already, the money comes back to you.")
}

// TestNobodyIsToldOfWhatIsLongAgo is about a new installation, which reads what was recorded.
func TestNobodyIsToldOfWhatIsLongAgo(t *testing.T) {
	f := newKit(t)
	f.put(ada)
	f.ReceiveForeign(created("order_1"), f.Now().Add(-73*time.Hour))
	f.WantApplied()
	f.ReceiveForeign(low("prod_1"), f.Now().Add(-73*time.Hour))
	require.Empty(t, f.list(notifications.Filter{}))
	f.Receive(validated("order_1"))
	require.Len(t, f.post.mails, 1, "the order is known, and its news is told")
	f.WantIdempotent()
}

func TestPreferencesChooseTheChannels(t *testing.T) {
	f := newKit(t)
	c := ada
	c.Preferences = notifications.Preferences{Orders: []notifications.Channel{notifications.Webhook}, Products: []notifications.Channel{}}
	f.put(c)
	f.Receive(created("order_1"))
	f.Receive(events.ProductPriceChanged{ProductID: "prod_1", OldPrice: 100, NewPrice: 90})
	require.Empty(t, f.post.mails)
	require.Len(t, f.post.hooks, 1)
	f.WantIdempotent()
}

func TestStaffListedTwiceAreToldOnce(t *testing.T) {
	f := newKit(t)
	f.s.Staff.Emails = []string{"staff@example.org", "Staff@Example.org", "staff@example.org"}
	f.Receive(low("prod_1"))
	f.WantApplied()
	require.Len(t, f.post.mails, 1)
	require.Len(t, f.s.StaffWays(), 1)
}

func TestAHundredAlertsLeaveAsOneDigest(t *testing.T) {
	f := newKit(t)
	for i := range 101 {
		f.Receive(low(fmt.Sprintf("prod_%d", i)))
	}
	require.Len(t, f.post.mails, 1, "the first one leaves at once")
	require.Equal(t, "prod_0 runs low at warehouse_main: 8 left (warning)", f.post.mails[0].Subject)
	f.Advance(14 * time.Minute)
	require.Len(t, f.post.mails, 1)
	f.Advance(time.Minute)
	require.Len(t, f.post.mails, 2)
	require.Equal(t, "100 notices about products", f.post.mails[1].Subject)
	require.Equal(t, 100, strings.Count(f.post.mails[1].Text, "runs low"))
	require.Equal(t, 100, strings.Count(f.post.mails[1].HTML, "runs low"))

	f.Receive(low("prod_1"))
	require.Len(t, f.post.mails, 2, "one message in a quarter of an hour")
	f.Advance(15 * time.Minute)
	require.Equal(t, "prod_1 runs low at warehouse_main: 8 left (warning)", f.post.mails[2].Subject)
	f.Advance(time.Hour)
	f.Receive(low("prod_2"))
	require.Len(t, f.post.mails, 4)
	f.WantIdempotent()
	require.Len(t, f.post.mails, 4)
}

func TestADigestIsOneCallOfAWebhook(t *testing.T) {
	f := newKit(t)
	c := ada
	c.Email = ""
	f.put(c)
	price := func(from, to events.Money) string {
		defer f.Advance(time.Minute)
		return f.Receive(events.ProductPriceChanged{ProductID: "prod_1", OldPrice: from, NewPrice: to}).String()
	}
	price(400, 350)
	first, second := price(350, 300), price(300, 250)
	require.Len(t, f.post.hooks, 1)
	f.Advance(12 * time.Minute)
	require.Len(t, f.post.hooks, 2)
	require.JSONEq(t, fmt.Sprintf(`{"type": "notifications.digest", "timestamp": "2026-01-15T12:01:00Z", "data": {"notices": [
		{"event_id": %q, "type": "product.price_changed", "timestamp": "2026-01-15T12:01:00Z", "data": {"product_id": "prod_1", "old_price": "3.50", "new_price": "3.00"}},
		{"event_id": %q, "type": "product.price_changed", "timestamp": "2026-01-15T12:02:00Z", "data": {"product_id": "prod_1", "old_price": "3.00", "new_price": "2.50"}}]}}`,
		first, second), string(f.post.hooks[1].Body))
	f.WantIdempotent()
	require.Len(t, f.post.hooks, 2)
}

func TestADigestHoldsABoundedNumber(t *testing.T) {
	f := newKit(t)
	for i := range 502 {
		f.Receive(low(fmt.Sprintf("prod_%d", i)))
	}
	f.Advance(15 * time.Minute)
	var sizes []int
	for _, m := range f.list(notifications.Filter{}) {
		sizes = append(sizes, len(m.Notices))
	}
	require.Equal(t, []int{1, 500, 1}, sizes)
	require.Len(t, f.post.mails, 3, "both digests at the same time")
}

func TestWatchersAndStaffHearThatAProductIsOut(t *testing.T) {
	f := newKit(t)
	f.put(ada)
	f.put(notifications.Contact{CustomerID: "cust_2", Name: "Bob", Email: "bob@example.org", Watched: []string{"prod_2"}})
	f.Receive(events.ProductOutOfStock{ProductID: "prod_1", LocationID: "berlin"})
	require.Len(t, f.post.mails, 2)
	require.Equal(t, []string{"ada@example.org", "staff@example.org"}, []string{f.post.mails[0].To, f.post.mails[1].To})
	require.Len(t, f.post.hooks, 1)
	from := f.Now().Add(24 * time.Hour)
	f.Receive(events.ProductPriceChanged{ProductID: "prod_2", OldPrice: 100, NewPrice: 90, EffectiveDate: &from})
	require.Contains(t, f.post.mails[2].Text, "the price of prod_2, which you watch, changes from 1.00 to 0.90 on 16 January 2026, 12:00 UTC.")
	f.put(notifications.Contact{CustomerID: "cust_2", Name: "Bob", Email: "bob@example.org"})
	f.Advance(time.Hour)
	f.Receive(events.ProductPriceChanged{ProductID: "prod_2", OldPrice: 90, NewPrice: 80})
	require.Len(t, f.post.mails, 3, "he watches it no more")
	f.WantIdempotent()
	require.Len(t, f.post.mails, 3)
}

func TestAReceiverThatIsDownIsTriedForADayAndCanBeSentAgain(t *testing.T) {
	f := newKit(t)
	c := ada
	c.Email = ""
	f.put(c)
	f.post.answer = notifications.Answer{Again: true, Detail: "the receiver answered 503"}
	f.Receive(created("order_1"))
	f.Advance(10 * time.Second)
	require.Len(t, f.post.hooks, 2)
	f.Advance(48 * time.Hour)
	require.Len(t, f.post.hooks, 3, "the clock jumped over later attempts")
	for range 10 {
		f.Advance(48 * time.Hour)
	}
	m := f.only()
	require.Equal(t, notifications.Failed, m.Status)
	require.Equal(t, "the receiver answered 503", m.Detail)
	require.Equal(t, int64(7), m.Attempts)

	f.post.answer = notifications.Answer{Sent: true}
	f.Do(func(ctx context.Context, tx *store.Tx) error { _, err := f.s.Resend(ctx, tx, m.MessageID); return err })
	require.Equal(t, notifications.Sent, f.only().Status)
	for _, h := range f.post.hooks {
		require.Equal(t, m.MessageID, h.Key, "one key for all attempts")
	}
	f.WantIdempotent()
}

func TestARefusedAddressFailsAtOnce(t *testing.T) {
	f := newKit(t)
	f.post.answer = notifications.Answer{Detail: "550 5.1.1"}
	f.put(notifications.Contact{CustomerID: "cust_1", Name: "Ada", Email: "ada@example.org"})
	f.Receive(created("order_1"))
	require.Equal(t, notifications.Failed, f.only().Status)
	f.Advance(time.Hour)
	require.Len(t, f.post.mails, 1)
}

func TestAMessageWithoutAWayIsSkippedAndCanBeSentLater(t *testing.T) {
	f := newKit(t)
	mail := f.s.Mail
	f.s.Mail = nil
	f.put(notifications.Contact{CustomerID: "cust_1", Name: "Ada", Email: "ada@example.org"})
	f.Receive(created("order_1"))
	require.Equal(t, notifications.Skipped, f.only().Status)
	require.Contains(t, f.only().Detail, "notifications.email.driver")
	f.s.Mail = mail
	f.Do(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.s.Resend(ctx, tx, f.only().MessageID)
		return err
	})
	require.Equal(t, notifications.Sent, f.only().Status)
}
