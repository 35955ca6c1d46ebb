package accounting_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/accounting"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

type fixture struct {
	*routertest.Kit
	t   *testing.T
	svc *accounting.Service
}

func newKit(t *testing.T) fixture {
	s := &accounting.Service{}
	return fixture{t: t, svc: s, Kit: routertest.New(t, accounting.Migrations,
		router.On(s.PostPayment), router.On(s.PostRefund), router.On(s.ReconcileRefund), router.Rebuild{Tables: accounting.Projection, Kept: accounting.Kept})}
}

// january is when the kit's clock starts, too.
var january = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func paid(order string, amount events.Money, currency string, at time.Time) events.PaymentProcessed {
	return events.PaymentProcessed{PaymentID: "pay_" + order, OrderID: order, Amount: amount, Currency: currency, Method: "card", ProcessedAt: at}
}

func wentBack(order, refund string, amount events.Money, currency string, at time.Time) events.PaymentRefunded {
	return events.PaymentRefunded{PaymentID: "pay_" + order, RefundID: refund, OrderID: order, Amount: amount, Currency: currency, Reason: "damaged", Method: "card", RefundedAt: at}
}

func granted(order, refund string, amount events.Money, currency string, at time.Time) events.OrderRefunded {
	return events.OrderRefunded{OrderID: order, RefundID: refund, RefundAmount: amount, RefundReason: "damaged", RefundMethod: "card", ProcessedAt: at, Currency: currency}
}

func (f fixture) balance(through string) (b accounting.TrialBalance) {
	f.t.Helper()
	f.View(func(ctx context.Context, r store.Reader) (err error) {
		b, err = f.svc.TrialBalance(ctx, r, through)
		return err
	})
	for _, c := range b.Currencies {
		require.True(f.t, c.Balanced)
		require.Equal(f.t, c.Debits, c.Credits)
	}
	return b
}

// net is what stands on an account: positive for a debit balance.
func net(b accounting.TrialBalance, currency, account string) events.Money {
	for _, c := range b.Currencies {
		for _, a := range c.Accounts {
			if c.Currency == currency && a.Number == account {
				return a.DebitBalance - a.CreditBalance
			}
		}
	}
	return 0
}

func (f fixture) journal(filter accounting.Filter) (all []accounting.Entry) {
	f.t.Helper()
	filter.Limit = max(filter.Limit, 50)
	f.View(func(ctx context.Context, r store.Reader) (err error) {
		all, err = f.svc.Journal(ctx, r, filter)
		return err
	})
	return all
}

func (f fixture) close(period string) error {
	return f.Try(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.svc.Close(ctx, tx, period)
		return err
	})
}

func TestEveryCurrencyBalances(t *testing.T) {
	f := newKit(t)
	f.Receive(paid("order_1", 1000, "USD", january))
	f.Receive(paid("order_2", 500, "EUR", january))
	f.Receive(wentBack("order_1", "ref_1", 400, "USD", january))
	b := f.balance("")
	require.Len(t, b.Currencies, 2)
	require.Equal(t, events.Money(600), net(b, "USD", accounting.Cash))
	require.Equal(t, events.Money(400), net(b, "USD", accounting.RefundClearing), "the order has not confirmed the refund")
	require.Equal(t, events.Money(500), net(b, "EUR", accounting.Cash))

	f.Receive(granted("order_1", "ref_1", 400, "USD", january))
	b = f.balance("")
	require.Zero(t, net(b, "USD", accounting.RefundClearing), "reconciled")
	require.Equal(t, events.Money(-1000), net(b, "USD", accounting.Sales))
	require.Equal(t, events.Money(400), net(b, "USD", accounting.Refunds))
	f.WantOnly()
	f.WantIdempotent()
	f.WantRebuilt()
}

func TestTheOrderOfArrivalDoesNotMatter(t *testing.T) {
	facts := []events.Payload{
		paid("order_1", 1000, "USD", january), wentBack("order_1", "ref_1", 300, "USD", january), granted("order_1", "ref_1", 300, "USD", january),
		paid("order_2", 77, "USD", january), granted("order_2", "ref_2", 77, "USD", january), wentBack("order_2", "ref_2", 77, "USD", january),
	}
	for range 10 {
		rand.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
		f := newKit(t)
		for _, fact := range facts {
			f.Receive(fact)
		}
		b := f.balance("")
		require.Equal(t, events.Money(700), net(b, "USD", accounting.Cash), "%v", facts)
		require.Zero(t, net(b, "USD", accounting.RefundClearing), "%v", facts)
		require.Len(t, f.journal(accounting.Filter{}), 6)
		f.WantIdempotent()
		f.WantRebuilt()
	}
}

func TestARefundWithoutCurrencyTakesThatOfItsPayment(t *testing.T) {
	payment, refund := paid("order_1", 1000, "GBP", january), granted("order_1", "ref_1", 300, "", january)
	for name, facts := range map[string][]events.Payload{"after it": {payment, refund}, "before it": {refund, payment}} {
		t.Run(name, func(t *testing.T) {
			f := newKit(t)
			for _, fact := range facts {
				f.ReceiveForeign(fact, january)
				f.WantApplied()
			}
			require.Equal(t, events.Money(300), net(f.balance(""), "GBP", accounting.Refunds))
			f.WantIdempotent()
			f.WantRebuilt()
		})
	}
}

func TestAClosedPeriodTakesCorrectionsOnlyAsNewEntries(t *testing.T) {
	f := newKit(t)
	december := january.AddDate(0, -1, 0)
	f.Receive(paid("order_1", 1000, "USD", december))
	require.ErrorContains(t, f.close("2026-01"), "2026-01 can be closed from 2026-02-01T01:00:00Z on")
	require.ErrorContains(t, f.close("2026-1"), "is no period")
	require.NoError(t, f.close("2025-12"))
	before := f.journal(accounting.Filter{Period: "2025-12"})
	closed := f.balance("2025-12")

	f.Receive(wentBack("order_1", "ref_1", 400, "USD", december))
	f.Receive(paid("order_2", 50, "USD", december.AddDate(0, -3, 0))) // a month before a closed one is closed too
	require.Equal(t, before, f.journal(accounting.Filter{Period: "2025-12"}))
	require.Equal(t, closed, f.balance("2025-12"))
	late := f.journal(accounting.Filter{Period: "2026-01"})
	require.Len(t, late, 2)
	require.Equal(t, []string{"2025-09", "2025-12"}, []string{late[0].LateOf, late[1].LateOf})

	require.NoError(t, f.close("2025-12"), "again")
	require.NoError(t, f.close("2025-10"), "it is closed with December")
	f.Receive(paid("order_3", 10, "USD", january.AddDate(0, 1, 0))) // a clock that is ahead
	require.Equal(t, "2026-02", f.journal(accounting.Filter{OrderID: "order_3"})[0].Period)

	f.WantIdempotent()
	f.WantRebuilt()

	for _, forgotten := range []string{"payment.refunded", "payment.processed"} { // their retention is over
		f.Forget(forgotten)
	}
	require.Equal(t, router.RebuildDone, f.Rebuild(true).State)
	require.Equal(t, before, f.journal(accounting.Filter{}), "closed periods are kept, open ones are what is recorded")
	require.ErrorContains(t, f.close("2026-13"), "is no period")
	require.NoError(t, f.close("2025-11"), "what was closed is still closed")
}

func TestTheJournalIsRead(t *testing.T) {
	f := newKit(t)
	for i, order := range []string{"order_1", "order_2", "order_3"} {
		f.Receive(paid(order, events.Money(100*(i+1)), "USD", january.Add(time.Duration(i)*time.Minute)))
	}
	f.Receive(paid("order_4", 5, "EUR", january))
	first := f.journal(accounting.Filter{Currency: "USD"})
	require.Len(t, first, 3)
	rest := f.journal(accounting.Filter{Currency: "USD", After: first[0].Place()})
	require.Equal(t, first[1:], rest)
	require.Equal(t, "pay_order_1", first[0].Reference)
	f.View(func(ctx context.Context, r store.Reader) error {
		_, err := f.svc.Journal(ctx, r, accounting.Filter{After: "nonsense", Limit: 1})
		require.ErrorContains(t, err, "cursor must be one that this server gave")
		return nil
	})
}
