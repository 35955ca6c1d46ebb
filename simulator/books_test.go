package simulator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
)

// honest is a run of one completed order of two pieces, as an honest platform tells it.
func honest() (*run, facts, *product, []locationFacts) {
	r := &run{Options: Options{Seed: 1}, id: "t"}
	p := &product{id: "prod_1", adjusted: 10}
	o := &order{id: "order_1", placed: true, lines: []orderLine{{product: p, quantity: 2, named: true}}}
	r.orders = []*order{o}
	f := facts{plan: o, found: true}
	f.order.OrderID, f.order.Status, f.order.Settled, f.order.Total, f.order.Final = o.id, "completed", true, 700, 700
	f.order.Items = append(f.order.Items, struct {
		ProductID  string       `json:"product_id"`
		Quantity   int64        `json:"quantity"`
		UnitPrice  events.Money `json:"unit_price"`
		TotalPrice events.Money `json:"total_price"`
	}{"prod_1", 2, 350, 700})
	for _, status := range []string{"pending", "validated", "completed"} {
		f.order.History = append(f.order.History, struct {
			Status string `json:"status"`
		}{status})
	}
	f.payments = []paymentFacts{{Status: "captured", Captured: 700}}
	f.fulfillments = []fulfillmentFacts{{Status: "completed"}}
	f.reservations = []reservationFacts{{ProductID: "prod_1", Quantity: 2, Status: "shipped"}}
	at := time.Unix(100, 0)
	for i, eventType := range []string{"order.created", "inventory.reserved", "order.validated", "payment.processed", "fulfillment.completed", "order.completed"} {
		f.trace.Events = append(f.trace.Events, told(eventType, eventType, int64(i+1), "orders", "applied", at.Add(time.Duration(i))))
	}
	return r, f, p, []locationFacts{{LocationID: "main", Adjusted: 10, Shipped: 2, OnHand: 8, Available: 8}}
}

func told(id, eventType string, sequence int64, service, state string, at time.Time) traceEvent {
	e := traceEvent{EventID: id, EventType: eventType, Key: "order_1", Sequence: sequence}
	e.Deliveries = append(e.Deliveries, struct {
		Service string    `json:"service"`
		State   string    `json:"state"`
		At      time.Time `json:"at"`
	}{service, state, at})
	return e
}

func recountOf(change func(f *facts, p *product, stock []locationFacts)) (broken []string) {
	r, f, p, stock := honest()
	if change != nil {
		change(&f, p, stock)
	}
	b := newBooks(r)
	b.order(f)
	b.stock(p, stock)
	for _, i := range b.invariants() {
		if !i.Held {
			broken = append(broken, i.Name)
		}
	}
	return broken
}

func TestTheRecountFindsEveryKindOfBreakage(t *testing.T) {
	require.Empty(t, recountOf(nil), "an honest platform breaks nothing")
	const (
		exists   = "orders: accepted ones exist, refused ones do not"
		settled  = "orders: every one is settled"
		path     = "orders: in one state, by a legal path"
		outcome  = "orders: the outcome fits what was done"
		payment  = "money: every order's payment fits"
		revenue  = "money: captured - refunded = revenue"
		stock    = "stock: on hand = adjusted - shipped, 0 ≤ reserved ≤ on hand"
		reserved = "stock: reservations fit their orders"
		once     = "events: each applied or ignored once by everyone who hears it"
		order    = "events: in order per key"
		answer   = "events: one creation, one end, one answer"
	)
	for name, c := range map[string]struct {
		change func(f *facts, p *product, stock []locationFacts)
		rule   string
	}{
		"an accepted order is gone":       {func(f *facts, _ *product, _ []locationFacts) { f.found = false }, exists},
		"an order is not settled":         {func(f *facts, _ *product, _ []locationFacts) { f.order.Settled = false }, settled},
		"a step is missing":               {func(f *facts, _ *product, _ []locationFacts) { f.order.History = f.order.History[1:] }, path},
		"the status is not the last step": {func(f *facts, _ *product, _ []locationFacts) { f.order.Status = "validated" }, path},
		"cancelled for nothing":           {func(f *facts, _ *product, _ []locationFacts) { f.order.Reason = events.ReasonPriceMismatch }, outcome},
		"a wrong price went through":      {func(f *facts, _ *product, _ []locationFacts) { f.plan.intent = wrongPrice }, outcome},
		"a cancellation was forgotten":    {func(f *facts, _ *product, _ []locationFacts) { f.plan.cancelled = true }, outcome},
		"paid twice":                      {func(f *facts, _ *product, _ []locationFacts) { f.payments = append(f.payments, f.payments[0]) }, payment},
		"captured too much":               {func(f *facts, _ *product, _ []locationFacts) { f.payments[0].Captured = 1400 }, revenue},
		"refunded for nothing":            {func(f *facts, _ *product, _ []locationFacts) { f.payments[0].Refunded = 100 }, payment},
		"the total is not the lines'":     {func(f *facts, _ *product, _ []locationFacts) { f.order.Items[0].Quantity = 3 }, payment},
		"a reservation was left open":     {func(f *facts, _ *product, _ []locationFacts) { f.reservations[0].Status = "open" }, reserved},
		"shipped twice": {func(f *facts, _ *product, _ []locationFacts) {
			f.reservations = append(f.reservations, f.reservations[0])
		}, reserved},
		"never sent":                       {func(f *facts, _ *product, _ []locationFacts) { f.fulfillments = nil }, reserved},
		"stock does not add up":            {func(_ *facts, _ *product, s []locationFacts) { s[0].OnHand = 9 }, stock},
		"more reserved than on hand":       {func(_ *facts, _ *product, s []locationFacts) { s[0].Reserved, s[0].Available = 9, -1 }, stock},
		"shipped what nobody ordered":      {func(_ *facts, _ *product, s []locationFacts) { s[0].Shipped, s[0].OnHand, s[0].Available = 3, 7, 7 }, stock},
		"an adjustment was lost":           {func(_ *facts, p *product, _ []locationFacts) { p.adjusted = 11 }, stock},
		"a deleted product is still there": {func(_ *facts, p *product, _ []locationFacts) { p.deleted = true }, stock},
		"a dead letter":                    {func(f *facts, _ *product, _ []locationFacts) { f.trace.Events[1].Deliveries[0].State = "dead" }, once},
		"an event stands twice": {func(f *facts, _ *product, _ []locationFacts) {
			f.trace.Events = append(f.trace.Events, f.trace.Events[1])
		}, once},
		"an outcome is awaited": {func(f *facts, _ *product, _ []locationFacts) { f.trace.Awaited = append(f.trace.Awaited, awaited{}) }, once},
		"two creations": {func(f *facts, _ *product, _ []locationFacts) {
			f.trace.Events = append(f.trace.Events, told("other", "order.created", 9, "payments", "applied", time.Unix(200, 0)))
		}, answer},
		"two answers to a cancellation": {func(f *facts, _ *product, _ []locationFacts) {
			for _, eventType := range []string{"order.cancelled", "payment.failed", "payment.refunded"} {
				f.trace.Events = append(f.trace.Events, told(eventType, eventType, 9, "orders", "applied", time.Unix(200, 0)))
			}
		}, answer},
		"a key was handled out of order": {func(f *facts, _ *product, _ []locationFacts) {
			f.trace.Events = append(f.trace.Events, told("second", "inventory.reserved", 3, "orders", "applied", time.Unix(50, 0)))
		}, order},
	} {
		t.Run(name, func(t *testing.T) { require.Contains(t, recountOf(c.change), c.rule) })
	}
}

func TestCancelledAndRefundedOrdersKeepNothing(t *testing.T) {
	_, f, _, _ := honest()
	f.order.Status, f.order.Reason = "refunded", events.ReasonCustomerRequest
	f.plan.cancelled = true
	f.order.History = f.order.History[:2]
	for _, status := range []string{"cancelled", "refunded"} {
		f.order.History = append(f.order.History, struct {
			Status string `json:"status"`
		}{status})
	}
	f.payments[0].Refunded = 700
	f.reservations[0].Status = "released"
	f.trace = traceFacts{Events: []traceEvent{told("a", "order.created", 1, "inventory", "applied", time.Unix(1, 0))}}
	b := newBooks(&run{})
	b.order(f)
	for _, i := range b.invariants() {
		require.True(t, i.Held, "%s: %s", i.Name, i.Detail)
	}
	f.payments[0].Refunded = 600
	b = newBooks(&run{})
	b.order(f)
	require.False(t, b.rule("money: every order's payment fits").invariant().Held)
}

func TestPercentiles(t *testing.T) {
	require.Zero(t, percentile(nil, 50))
	values := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	require.Equal(t, []float64{5, 10, 10}, []float64{percentile(values, 50), percentile(values, 95), percentile(values, 99)})
	require.Equal(t, 1.0, percentile([]float64{1}, 50))
}
