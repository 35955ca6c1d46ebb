package simulator

import (
	"fmt"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
)

// world is what an honest platform says of one completed order of 7.00, of which 1.50 came back.
type world struct {
	ended    ended
	dropped  ended // cancelled before anything was paid
	customer customerFacts
	history  []historyFacts
	balance  balanceFacts
	journal  []entryFacts
	messages []messageFacts
	contacts []contact
	staff    []staffFacts
	happened []productEvent
	received map[string]bool
	trail    []record
	adjusted []productEvent
	orders   []purchaseFacts
	product  *product
	stock    int64 // adjusted, as inventory says
	active   []string
	found    []foundFacts
	revenue  revenueFacts
}

func honestWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		ended:   ended{id: "order_1", customer: "cust_1", completed: true, final: 700, refunded: 150, captured: 700, paidBack: 150, announced: []string{"created", "validated"}},
		dropped: ended{id: "order_2", customer: "cust_1"},
		history: []historyFacts{
			{OrderID: "order_1", Status: "completed", Currency: "USD", Final: 700, Refunded: 150, Earned: 7, TakenBack: 2},
			{OrderID: "order_0", Status: "not_completed", Currency: "USD", Refunded: 900},
		},
		journal: []entryFacts{
			{"order_1", "USD", 700, cash, sales}, {"order_1", "USD", 150, clearing, cash}, {"order_1", "USD", 150, refunds, clearing},
		},
		product: &product{id: "prod_1"}, stock: 40, active: []string{"prod_1", "prod_2"}, found: []foundFacts{{"prod_2"}, {"prod_1"}},
		orders: []purchaseFacts{
			{ID: "po_1", Product: "prod_1", Location: "main", Status: "received", Received: 30}, {ID: "po_2", Product: "prod_1", Location: "main", Status: "proposed"},
			{ID: "po_3", Product: "prod_1", Location: "berlin", Status: "approved"},
		},
	}
	w.revenue = revenueFacts{gross: 700, refunded: 150}
	require.NoError(t, json.Unmarshal([]byte(`{"points":{"balance":5,"earned":7,"taken_back":2},
		"lifetime_value":[{"currency":"USD","orders":1,"final_amount":"7.00","refunded_amount":"1.50","net_amount":"5.50"}]}`), &w.customer))
	require.NoError(t, json.Unmarshal([]byte(`{"currencies":[{"currency":"USD","debits":"10.00","credits":"10.00","accounts":[
		{"account":"1000","debits":"7.00","credits":"1.50"},{"account":"2100","debits":"1.50","credits":"1.50"},{"account":"4000","debits":"0.00","credits":"7.00"},{"account":"4900","debits":"1.50","credits":"0.00"}]}]}`), &w.balance))
	require.NoError(t, json.Unmarshal([]byte(`[
		{"message_id":"m1","recipient":"customer:cust_1","channel":"email","notices":[{"event_id":"created","type":"order.created","data":{"order_id":"order_1_t_1"}}]},
		{"message_id":"m2","recipient":"customer:cust_1","channel":"webhook","status":"sent","notices":[{"event_id":"created","type":"order.created","data":{"order_id":"order_1_t_1"}}]},
		{"message_id":"m3","recipient":"customer:cust_1","channel":"email","notices":[{"event_id":"validated","type":"order.validated","data":{"order_id":"order_1_t_1"}}]},
		{"message_id":"m4","recipient":"customer:cust_1","channel":"webhook","notices":[{"event_id":"validated","type":"order.validated","data":{"order_id":"order_1_t_1"}}]},
		{"message_id":"m5","recipient":"customer:cust_2","channel":"email","notices":[{"event_id":"price","type":"product.price_changed","data":{"product_id":"prod_1_t_1"}}, {"event_id":"out","type":"product.out_of_stock","data":{"product_id":"prod_1_t_1"}}]},
		{"message_id":"m6","recipient":"staff:webhook","channel":"webhook","notices":[{"event_id":"low","type":"inventory.low_stock_alert","data":{"product_id":"prod_1_t_1"}}, {"event_id":"out","type":"product.out_of_stock","data":{"product_id":"prod_1_t_1"}}]},
		{"message_id":"m7","recipient":"customer:cust_7","channel":"email","notices":[{"event_id":"other","type":"order.created","data":{"order_id":"order_of_somebody_else"}}]}]`), &w.messages))
	require.NoError(t, json.Unmarshal([]byte(`[{"event_id":"price","event_type":"product.price_changed","data":{"product_id":"prod_1_t_1"}},
		{"event_id":"out","event_type":"product.out_of_stock","data":{"product_id":"prod_1_t_1"}},{"event_id":"low","event_type":"inventory.low_stock_alert","data":{"product_id":"prod_1_t_1"}}]`), &w.happened))
	w.contacts = []contact{
		{customer: "cust_1", channels: []string{byEmail, byWebhook}}, {customer: "cust_2", channels: []string{byEmail}, noOrders: true, watches: []string{"prod_1_t_1"}},
	}
	w.staff, w.received = []staffFacts{{"staff:webhook", byWebhook}}, map[string]bool{"m2": true}
	require.NoError(t, json.Unmarshal([]byte(`[{"event_id":"e1","data":{"product_id":"prod_1"}},{"event_id":"e2","data":{"product_id":"prod_1"}}]`), &w.adjusted))
	w.append(record{EventID: "e1", Product: "prod_1", New: 10})
	w.append(record{EventID: "e2", Product: "prod_1", Old: 10, New: 40, Reference: "po_1"})
	return w
}

// append chains a record as the audit service does.
func (w *world) append(r record) {
	r.Sequence, r.Previous = int64(len(w.trail)+1), genesis
	if n := len(w.trail); n > 0 {
		r.Previous = w.trail[n-1].Hash
	}
	r.Hash = fmt.Sprintf("%x", 1000+r.Sequence)
	r.seal = r.Hash
	w.trail = append(w.trail, r)
}

func (w *world) broken() (names []string) {
	b := newBooks(&run{Options: Options{Seed: 1}, id: "t", contacts: w.contacts})
	b.ended, b.adjusted = []ended{w.ended, w.dropped}, map[string]int64{"prod_1": w.stock}
	b.customer("cust_1", w.customer, w.history)
	b.balanced(w.balance)
	b.journal(w.journal)
	b.messages(b.tellings(w.contacts, w.staff, w.happened), w.messages)
	b.arrivals(w.messages, func(message string) bool { return w.received[message] })
	b.counted(w.revenue)
	b.trail([]*product{w.product}, w.adjusted, w.trail)
	b.purchases(w.product, w.orders)
	b.found("product", w.active, w.found)
	for _, i := range b.invariants() {
		if !i.Held {
			names = append(names, i.Name)
		}
	}
	return names
}

// A server was broken, too, and simulate saw it red. With a message's key that differs for the same event, no guard in the table
// of notices, and every tenth notice entered twice: "3 of 26 broken: event … stands in 2 messages to customer:cust_11_16", the
// same by webhook, and of staff. With a key without the channel, where a mail and a webhook of one event are one: "14 of 22
// broken: event … stands in 0 messages", beside the outcomes that are awaited.
func TestTheRecountOfTheListenersFindsEveryKindOfBreakage(t *testing.T) {
	require.Empty(t, honestWorld(t).broken(), "an honest platform breaks nothing")
	const (
		history   = "customers: history, points and lifetime value agree with orders"
		balance   = "accounting: debits = credits"
		posted    = "accounting: payments and refunds are those of orders"
		orderMail = "notifications: customers about orders, each event in exactly one message or digest by email"
		orderHook = "notifications: customers about orders, each event in exactly one message or digest by webhook"
		watchMail = "notifications: customers about watched products, each event in exactly one message or digest by email"
		stockHook = "notifications: staff about stock, each event in exactly one message or digest by webhook"
		stockMail = "notifications: staff about stock, each event in exactly one message or digest by email"
		arrived   = "notifications: every webhook that was sent has arrived"
		chain     = "audit: the chain verifies"
		trail     = "audit: every adjustment stands in the trail once"
		open      = "procurement: at most one open purchase order per product and location"
		delivered = "procurement: every delivery raised the stock once"
		found     = "search: finds exactly the active products"
		revenue   = "analytics: revenue is that of completed orders"
	)
	for name, c := range map[string]struct {
		change func(w *world)
		rule   string
	}{
		"an order is missing in the history": {func(w *world) { w.history = w.history[1:] }, history},
		"an order without money is counted": {func(w *world) {
			w.history = append(w.history, historyFacts{OrderID: "order_2", Status: "not_completed", Currency: "USD"})
		}, history},
		"a refund was forgotten":                 {func(w *world) { w.history[0].Refunded = 0 }, history},
		"points were not taken back":             {func(w *world) { w.history[0].TakenBack = 0 }, history},
		"a refund of a cancelled order counts":   {func(w *world) { w.customer.Value[0].Net = events.Money(0) }, history},
		"the points are not the orders'":         {func(w *world) { w.customer.Points.Balance = 6 }, history},
		"a currency is missing":                  {func(w *world) { w.customer.Value = nil }, history},
		"an account is out of balance":           {func(w *world) { w.balance.Currencies[0].Accounts[0].Debits++ }, balance},
		"the sums are not the accounts'":         {func(w *world) { w.balance.Currencies[0].Debits, w.balance.Currencies[0].Credits = 1, 1 }, balance},
		"a payment was posted twice":             {func(w *world) { w.journal = append(w.journal, w.journal[0]) }, posted},
		"a refund was not posted":                {func(w *world) { w.journal = w.journal[:1] }, posted},
		"a refund is not reconciled":             {func(w *world) { w.journal = w.journal[:2] }, posted},
		"the wrong amount":                       {func(w *world) { w.journal[1].Amount = 151 }, posted},
		"a mail too many":                        {func(w *world) { w.messages = append(w.messages, w.messages[0]) }, orderMail},
		"a mail is missing":                      {func(w *world) { w.messages = w.messages[1:] }, orderMail},
		"a webhook is missing":                   {func(w *world) { w.messages[1].Notices = nil }, orderHook},
		"a mail tells an event of another":       {func(w *world) { w.messages[2].Notices = append(w.messages[2].Notices, w.messages[0].Notices[0]) }, orderMail},
		"a digest tells an event twice":          {func(w *world) { w.messages[4].Notices = append(w.messages[4].Notices, w.messages[4].Notices[0]) }, watchMail},
		"a digest has lost an event":             {func(w *world) { w.messages[4].Notices = w.messages[4].Notices[:1] }, watchMail},
		"staff were not told":                    {func(w *world) { w.messages[5].Notices = w.messages[5].Notices[1:] }, stockHook},
		"staff were told twice":                  {func(w *world) { w.messages = append(w.messages, w.messages[5]) }, stockHook},
		"staff were told by mail":                {func(w *world) { w.messages[5].Channel = byEmail }, stockMail},
		"a customer who left no address is told": {func(w *world) { w.messages[6].Notices = w.messages[0].Notices }, orderMail},
		"a customer is told what he refuses":     {func(w *world) { w.messages[2].Recipient = "customer:cust_2" }, orderMail},
		"a webhook never came":                   {func(w *world) { w.received = nil }, arrived},
		"a record was changed":                   {func(w *world) { w.trail[0].seal = "other" }, chain},
		"a record is missing":                    {func(w *world) { w.trail = w.trail[1:] }, chain},
		"records were exchanged":                 {func(w *world) { w.trail[0], w.trail[1] = w.trail[1], w.trail[0] }, chain},
		"a record was inserted":                  {func(w *world) { w.trail = append(w.trail, w.trail[1]) }, chain},
		"an adjustment is not in the trail":      {func(w *world) { w.trail = w.trail[:1] }, trail},
		"a record was lost and another invented": {func(w *world) { w.trail[1].EventID = "e9" }, trail},
		"a recorded adjustment changes nothing":  {func(w *world) { w.adjusted = append(w.adjusted, productEvent{EventID: "e3"}) }, trail},
		"an adjustment stands twice":             {func(w *world) { w.append(w.trail[0]) }, trail},
		"two open purchase orders":               {func(w *world) { w.orders[2].Location = "main" }, open},
		"a delivery raised the stock twice": {func(w *world) {
			w.append(record{EventID: "e3", Product: "prod_1", Old: 40, New: 70, Reference: "po_1"})
			w.stock = 70
		}, delivered},
		"a delivery that was not received raised it":                    {func(w *world) { w.orders[0].Status = "cancelled" }, delivered},
		"an active product is not found":                                {func(w *world) { w.found = w.found[1:] }, found},
		"a deleted product is found":                                    {func(w *world) { w.active = w.active[1:] }, found},
		"an order is missing in the revenue":                            {func(w *world) { w.revenue.gross = 0 }, revenue},
		"a refund of an order that never completed lessens the revenue": {func(w *world) { w.ended.completed = false }, revenue},
		"a product is found twice":                                      {func(w *world) { w.found = append(w.found, w.found[0]) }, found},
	} {
		t.Run(name, func(t *testing.T) {
			w := honestWorld(t)
			c.change(w)
			require.Contains(t, w.broken(), c.rule)
		})
	}
}

func TestTheSealOfARecordIsItsCanonicalContent(t *testing.T) {
	one, err := sealOf([]byte(`{"sequence":1,"reason":"ü","hash":"x"}`))
	require.NoError(t, err)
	other, err := sealOf([]byte(`{"reason":"ü", "sequence":1}`))
	require.NoError(t, err)
	require.Equal(t, one, other, "in any spelling, and without the hash")
	changed, err := sealOf([]byte(`{"sequence":2,"reason":"ü"}`))
	require.NoError(t, err)
	require.NotEqual(t, one, changed)
}

func TestAnInvariantWithNothingToCheckSaysSo(t *testing.T) {
	b := newBooks(&run{})
	b.messages(nil, nil)
	b.arrivals(nil, nil)
	for _, i := range b.invariants() {
		if i.Name != "money: captured - refunded = revenue" {
			require.Equal(t, []any{"nothing to check", 0, true}, []any{i.Detail, i.Checked, i.Held}, i.Name)
		}
	}
}
