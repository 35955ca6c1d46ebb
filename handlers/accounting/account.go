package accounting

// The chart of accounts.
//
//	                  debit            credit
//	payment.processed 1000 cash        4000 sales
//	payment.refunded  2100 clearing    1000 cash
//	order.refunded    4900 refunds     2100 clearing
//
// Revenue is sales less refunds: a cancelled order whose payment had been captured stands on both sides with the same amount.
const (
	Cash           = "1000"
	RefundClearing = "2100"
	Sales          = "4000"
	Refunds        = "4900"
)

// Account is one account of the chart.
type Account struct {
	Number string `json:"account"`
	Name   string `json:"name"`
	Kind   string `json:"kind"` // asset, liability, revenue, contra_revenue
}

// Chart lists the accounts.
func Chart() []Account {
	return []Account{
		{Cash, "Cash at payment providers", "asset"},
		{RefundClearing, "Refunds in clearing: paid out, not yet confirmed by the order", "liability"},
		{Sales, "Sales", "revenue"},
		{Refunds, "Refunds granted", "contra_revenue"},
	}
}
