package accounting

import (
	"context"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// TrialBalance is what every account comes to, by currency.
type TrialBalance struct {
	Through    string            `json:"through,omitzero"` // the last period that counts; "" for all
	Currencies []CurrencyBalance `json:"currencies"`
}

// CurrencyBalance is the trial balance of one currency.
type CurrencyBalance struct {
	Currency string           `json:"currency"`
	Accounts []AccountBalance `json:"accounts"`
	Debits   events.Money     `json:"debits"`
	Credits  events.Money     `json:"credits"`
	Balanced bool             `json:"balanced"`
}

// AccountBalance is one account: what was posted on either side, and on which side the rest stands.
type AccountBalance struct {
	Account
	Debits        events.Money `json:"debits"`
	Credits       events.Money `json:"credits"`
	DebitBalance  events.Money `json:"debit_balance"`
	CreditBalance events.Money `json:"credit_balance"`
}

type turnover struct {
	currency, account string
	debits, credits   events.Money
}

// TrialBalance adds the journal up, through a period, or all of it.
func (s *Service) TrialBalance(ctx context.Context, r store.Reader, through string) (TrialBalance, error) {
	until := through
	if until == "" {
		until = "9999-99"
	}
	turnovers, err := store.All(ctx, r, func(s store.Scanner) (t turnover, err error) {
		var debits, credits int64
		err = s.Scan(&t.currency, &t.account, &debits, &credits)
		t.debits, t.credits = events.Money(debits), events.Money(credits)
		return t, err
	}, `SELECT currency, account, CAST(SUM(debit) AS BIGINT), CAST(SUM(credit) AS BIGINT) FROM (
			SELECT currency, debit AS account, amount AS debit, 0 AS credit FROM entries WHERE period <= $1
			UNION ALL SELECT currency, credit, 0, amount FROM entries WHERE period <= $1
		) AS lines GROUP BY currency, account ORDER BY currency, account`, until)
	return balance(through, turnovers), err
}

// balance lays turnovers, sorted by currency, out on the chart of accounts.
func balance(through string, turnovers []turnover) TrialBalance {
	b := TrialBalance{Through: through, Currencies: []CurrencyBalance{}}
	for _, t := range turnovers {
		if n := len(b.Currencies); n == 0 || b.Currencies[n-1].Currency != t.currency {
			empty := CurrencyBalance{Currency: t.currency}
			for _, account := range Chart() {
				empty.Accounts = append(empty.Accounts, AccountBalance{Account: account})
			}
			b.Currencies = append(b.Currencies, empty)
		}
		b.Currencies[len(b.Currencies)-1].add(t)
	}
	return b
}

func (c *CurrencyBalance) add(t turnover) {
	for i := range c.Accounts {
		if a := &c.Accounts[i]; a.Number == t.account {
			a.Debits, a.Credits = t.debits, t.credits
			a.DebitBalance, a.CreditBalance = max(t.debits-t.credits, 0), max(t.credits-t.debits, 0)
		}
	}
	c.Debits += t.debits
	c.Credits += t.credits
	c.Balanced = c.Debits == c.Credits
}
