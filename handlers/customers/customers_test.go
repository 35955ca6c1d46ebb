package customers_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/customers"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

func newKit(t *testing.T) (*routertest.Kit, *customers.Service) {
	s := &customers.Service{}
	return routertest.New(t, customers.Migrations, router.On(s.CountOrder), router.On(s.CountRefund), router.Rebuild{Tables: customers.Projection}), s
}

var at = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func completed(order string, final events.Money) events.OrderCompleted {
	return events.OrderCompleted{OrderID: order, CompletionTime: at, PaymentID: "pay_1", FulfillmentID: "ful_1", FinalAmount: final, CustomerID: "cust_1", Currency: "USD"}
}

func refunded(order, refund string, amount events.Money) events.OrderRefunded {
	return events.OrderRefunded{
		OrderID: order, RefundID: refund, RefundAmount: amount, RefundReason: "damaged", RefundMethod: "card", ProcessedAt: at.Add(time.Hour), CustomerID: "cust_1", Currency: "USD",
	}
}

func customer(k *routertest.Kit, s *customers.Service, id string) (c customers.Customer) {
	k.View(func(ctx context.Context, r store.Reader) (err error) {
		c, err = s.Get(ctx, r, id)
		return err
	})
	return c
}

func orders(k *routertest.Kit, s *customers.Service, id string) (all []customers.Order) {
	k.View(func(ctx context.Context, r store.Reader) (err error) {
		all, err = s.Orders(ctx, r, id, "", 50)
		return err
	})
	return all
}

func TestCompletedOrdersEarnPointsAndRefundsTakeThemBack(t *testing.T) {
	k, s := newKit(t)
	k.Receive(completed("order_1", 1099))
	k.Receive(completed("order_2", 500))
	require.Equal(t, customers.Customer{
		CustomerID: "cust_1", Points: customers.Loyalty{Balance: 15, Earned: 15}, Value: []customers.Value{{Currency: "USD", Orders: 2, Final: 1599, Net: 1599}},
	}, customer(k, s, "cust_1"))

	k.Receive(refunded("order_1", "ref_1", 50)) // 10.49 are kept: still ten points
	require.EqualValues(t, 15, customer(k, s, "cust_1").Points.Balance)
	k.Receive(refunded("order_1", "ref_2", 50)) // 9.99
	require.Equal(t, customers.Loyalty{Balance: 14, Earned: 15, TakenBack: 1}, customer(k, s, "cust_1").Points)
	k.Receive(refunded("order_2", "ref_3", 500))
	require.Equal(t, []customers.Value{{Currency: "USD", Orders: 2, Final: 1599, Refunded: 600, Net: 999}}, customer(k, s, "cust_1").Value)

	all := orders(k, s, "cust_1")
	require.Len(t, all, 2)
	require.Equal(t, customers.Completed, all[0].Status)
	require.EqualValues(t, 1, all[0].TakenBack)
	require.Equal(t, customers.Refunded, all[1].Status)
	require.EqualValues(t, 5, all[1].TakenBack)
	k.WantOnly()
	k.WantIdempotent()
	k.WantRebuilt()
}

func TestARefundOfAnOrderThatWasNeverCompletedCountsForNothing(t *testing.T) {
	k, s := newKit(t)
	k.Receive(refunded("order_1", "ref_1", 700))
	k.WantApplied()
	require.Equal(t, customers.Customer{CustomerID: "cust_1", Value: []customers.Value{}}, customer(k, s, "cust_1"))
	require.Equal(t, customers.NotCompleted, orders(k, s, "cust_1")[0].Status)
	k.WantIdempotent()
	k.WantRebuilt()
}

func TestEveryOrderOfArrivalGivesTheSame(t *testing.T) {
	facts := []events.Payload{
		completed("order_1", 1000), refunded("order_1", "ref_1", 300), refunded("order_1", "ref_2", 250),
		completed("order_2", 99), refunded("order_3", "ref_3", 400),
	}
	first, s := newKit(t)
	for _, f := range facts {
		first.Receive(f)
	}
	want, wantOrders := customer(first, s, "cust_1"), orders(first, s, "cust_1")
	require.EqualValues(t, 4, want.Points.Balance)
	for range 10 {
		rand.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
		k, s := newKit(t)
		for _, f := range facts {
			k.Receive(f)
		}
		require.Equal(t, want, customer(k, s, "cust_1"), "%v", facts)
		require.Equal(t, wantOrders, orders(k, s, "cust_1"), "%v", facts)
		k.WantIdempotent()
		k.WantRebuilt()
		k.WantRebuilt()
	}
}

// TestAForeignEventMayLeaveCustomerAndCurrencyOut: they are optional in the contract, and the other event names them.
func TestAForeignEventMayLeaveCustomerAndCurrencyOut(t *testing.T) {
	k, s := newKit(t)
	bare := completed("order_1", 1000)
	bare.CustomerID, bare.Currency = "", ""
	k.ReceiveForeign(refunded("order_1", "ref_1", 100), at)
	k.ReceiveForeign(bare, at)
	require.Equal(t, []customers.Value{{Currency: "USD", Orders: 1, Final: 1000, Refunded: 100, Net: 900}}, customer(k, s, "cust_1").Value)
	k.WantIdempotent()
	k.WantRebuilt()
}

func TestAnUnknownCustomerIsSaid(t *testing.T) {
	k, s := newKit(t)
	k.View(func(ctx context.Context, r store.Reader) error {
		_, err := s.Get(ctx, r, "cust_9")
		require.ErrorContains(t, err, "no order of a customer cust_9")
		return nil
	})
}
