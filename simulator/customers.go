package simulator

import (
	"context"
	"net/url"

	"github.com/first-viscount/viscount/events"
)

// customerFacts are what the customer service says about a customer.
type customerFacts struct {
	Points struct {
		Balance   int64 `json:"balance"`
		Earned    int64 `json:"earned"`
		TakenBack int64 `json:"taken_back"`
	} `json:"points"`
	Value []struct {
		Currency string       `json:"currency"`
		Orders   int64        `json:"orders"`
		Final    events.Money `json:"final_amount"`
		Refunded events.Money `json:"refunded_amount"`
		Net      events.Money `json:"net_amount"`
	} `json:"lifetime_value"`
}

// historyFacts are one order of a customer.
type historyFacts struct {
	OrderID   string       `json:"order_id"`
	Status    string       `json:"status"`
	Currency  string       `json:"currency"`
	Final     events.Money `json:"final_amount"`
	Refunded  events.Money `json:"refunded_amount"`
	Earned    int64        `json:"points_earned"`
	TakenBack int64        `json:"points_taken_back"`
}

func (r *run) recountCustomers(ctx context.Context, b *books) error {
	var customers []string
	known := map[string]bool{}
	for _, e := range b.ended {
		if !known[e.customer] { // one without a completed order, too: nothing may be counted for him
			known[e.customer] = true
			customers = append(customers, e.customer)
		}
	}
	return each(ctx, customers, askers, func(ctx context.Context, id string) error {
		var facts customerFacts
		err := r.http.get(ctx, "/customers/"+id, &facts)
		var history []historyFacts
		if err == nil {
			history, err = all[historyFacts](ctx, r.http, "/customers/"+id+"/orders", url.Values{})
		}
		if err != nil && !refusedWith(err, "not_found") {
			return err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.customer(id, facts, history)
		return nil
	})
}

// customer checks a customer's history against the run's orders, and the totals against the history.
func (b *books) customer(id string, facts customerFacts, history []historyFacts) {
	r := b.rule("customers: history, points and lifetime value agree with orders")
	there := map[string]historyFacts{}
	net, points := map[string]events.Money{}, int64(0)
	for _, h := range history {
		there[h.OrderID] = h
		if h.Status != "not_completed" {
			net[h.Currency] += h.Final - h.Refunded
			points += h.Earned - h.TakenBack
		}
	}
	for _, e := range b.ended {
		if e.customer != id {
			continue
		}
		h, found := there[e.id]
		if !e.money() {
			r.check(!found, "%s of %s: no money was kept or went back, and the history says %+v", e.id, id, h)
			continue
		}
		want := historyFacts{OrderID: e.id, Refunded: e.refunded, Currency: h.Currency, Status: "not_completed"}
		if e.completed {
			want.Final, want.Earned, want.Status = e.final, int64(e.final/100), "completed"
			want.TakenBack = want.Earned - int64((e.final-e.refunded)/100)
			if e.refunded == e.final && e.refunded > 0 {
				want.Status = "refunded"
			}
		}
		r.check(found && h == want, "%s of %s: the history says %+v, it should be %+v", e.id, id, h, want)
	}
	for _, v := range facts.Value {
		r.check(v.Net == net[v.Currency] && v.Net == v.Final-v.Refunded, "%s is worth %s %s, the history adds up to %s", id, v.Net, v.Currency, net[v.Currency])
		delete(net, v.Currency)
	}
	for currency, rest := range net {
		r.check(rest == 0, "%s: %s %s of the history are missing in the lifetime value", id, rest, currency)
	}
	p := facts.Points
	r.check(p.Balance == points && p.Balance == p.Earned-p.TakenBack, "%s has %d points (%d earned, %d taken back), the history adds up to %d", id, p.Balance, p.Earned, p.TakenBack, points)
}
