package simulator

import (
	"context"

	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
)

// entryFacts are one entry of the journal.
type entryFacts struct {
	OrderID  string       `json:"order_id"`
	Currency string       `json:"currency"`
	Amount   events.Money `json:"amount"`
	Debit    string       `json:"debit"`
	Credit   string       `json:"credit"`
}

// balanceFacts are a trial balance.
type balanceFacts struct {
	Currencies []struct {
		Currency string `json:"currency"`
		Accounts []struct {
			Number  string       `json:"account"`
			Debits  events.Money `json:"debits"`
			Credits events.Money `json:"credits"`
		} `json:"accounts"`
		Debits  events.Money `json:"debits"`
		Credits events.Money `json:"credits"`
	} `json:"currencies"`
}

// The accounts of the ledger.
const (
	cash     = "1000"
	clearing = "2100"
	sales    = "4000"
	refunds  = "4900"
)

func (r *run) recountJournal(ctx context.Context, b *books) error {
	var balance balanceFacts
	if err := r.http.get(ctx, "/accounting/trial-balance", &balance); err != nil {
		return err
	}
	var entries []entryFacts
	err := r.http.lines(ctx, "/accounting/journal?format=ndjson", func(line []byte) error {
		var one entryFacts
		err := json.Unmarshal(line, &one)
		entries = append(entries, one)
		return err
	})
	if err != nil {
		return err
	}
	b.balanced(balance)
	b.journal(entries)
	return nil
}

// balanced checks that debits are credits, account by account and in sum.
func (b *books) balanced(balance balanceFacts) {
	r := b.rule("accounting: debits = credits")
	for _, c := range balance.Currencies {
		var debits, credits events.Money
		for _, a := range c.Accounts {
			debits += a.Debits
			credits += a.Credits
		}
		r.check(debits == credits && debits == c.Debits && credits == c.Credits, "%s: debits %s, credits %s; the balance says %s and %s", c.Currency, debits, credits, c.Debits, c.Credits)
	}
}

// journal checks what is posted of the run's orders against payments and orders.
func (b *books) journal(entries []entryFacts) {
	r := b.rule("accounting: payments and refunds are those of orders")
	posted := map[string]map[string]events.Money{} // by order and account, debits less credits
	for _, e := range entries {
		if posted[e.OrderID] == nil {
			posted[e.OrderID] = map[string]events.Money{}
		}
		posted[e.OrderID][e.Debit] += e.Amount
		posted[e.OrderID][e.Credit] -= e.Amount
	}
	for _, o := range b.ended {
		got := posted[o.id]
		r.check(-got[sales] == o.captured, "%s: sales of %s are posted, %s were captured", o.id, -got[sales], o.captured)
		r.check(got[refunds] == o.refunded, "%s: refunds of %s are posted, the order says %s", o.id, got[refunds], o.refunded)
		r.check(got[clearing] == 0, "%s: %s of its refunds are known to payments or to orders only", o.id, got[clearing])
		r.check(got[cash] == o.captured-o.paidBack, "%s: %s are left in cash, payments hold %s", o.id, got[cash], o.captured-o.paidBack)
	}
}
