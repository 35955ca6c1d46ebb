package accounting

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Entry is one entry of the journal: amount, from the account that it credits to the one that it debits.
type Entry struct {
	EntryID   string       `json:"entry_id"` // of the event that was posted
	EventType string       `json:"event_type"`
	At        time.Time    `json:"at"`
	Period    string       `json:"period"`           // that it counts in, yyyy-mm
	LateOf    string       `json:"late_of,omitzero"` // the closed period that it came too late for
	OrderID   string       `json:"order_id"`
	Reference string       `json:"reference"` // payment or refund id
	Currency  string       `json:"currency"`
	Amount    events.Money `json:"amount"`
	Debit     string       `json:"debit"`
	Credit    string       `json:"credit"`
}

// post enters an entry into the period of its date, or into the open one that follows it if that is closed.
func post(ctx context.Context, tx *store.Tx, e Entry) error {
	e.Period = periodOf(e.At)
	open, err := openPeriod(ctx, tx, e.Period)
	if err != nil {
		return err
	}
	if open != e.Period {
		e.Period, e.LateOf = open, e.Period
	}
	_, err = tx.Exec(ctx, `INSERT INTO entries (entry_id, event_type, at, period, late_of, order_id, reference, currency, amount, debit, credit)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (entry_id) DO NOTHING`,
		e.EntryID, e.EventType, store.Micros(e.At), e.Period, e.LateOf, e.OrderID, e.Reference, e.Currency, int64(e.Amount), e.Debit, e.Credit)
	if err != nil {
		return fmt.Errorf("posting %s of order %s: %w", e.EventType, e.OrderID, err)
	}
	return nil
}

const columns = "entry_id, event_type, at, period, late_of, order_id, reference, currency, amount, debit, credit"

func scan(s store.Scanner) (e Entry, err error) {
	var at, amount int64
	err = s.Scan(&e.EntryID, &e.EventType, &at, &e.Period, &e.LateOf, &e.OrderID, &e.Reference, &e.Currency, &amount, &e.Debit, &e.Credit)
	e.At, e.Amount = store.Time(at), events.Money(amount)
	return e, err
}

// Filter chooses entries; After is the place of the last one of the page before.
type Filter struct {
	Period, Currency, OrderID, After string
	Limit                            int
}

// Place is where an entry stands in the journal: by period and date.
func (e Entry) Place() string {
	return strings.Join([]string{e.Period, strconv.FormatInt(store.Micros(e.At), 10), e.EntryID}, "/")
}

// Journal reads entries by period and date.
func (s *Service) Journal(ctx context.Context, r store.Reader, f Filter) ([]Entry, error) {
	query, args := "SELECT "+columns+" FROM entries WHERE 1 = 1", []any{}
	where := func(condition string, value any) {
		args = append(args, value)
		query += fmt.Sprintf(" AND "+condition, len(args))
	}
	for _, one := range [][2]string{{"period = $%d", f.Period}, {"currency = $%d", f.Currency}, {"order_id = $%d", f.OrderID}} {
		if one[1] != "" {
			where(one[0], one[1])
		}
	}
	if f.After != "" {
		period, at, id, err := placed(f.After)
		if err != nil {
			return nil, err
		}
		args = append(args, period, at, id)
		query += fmt.Sprintf(" AND (period, at, entry_id) > ($%d, $%d, $%d)", len(args)-2, len(args)-1, len(args))
	}
	args = append(args, f.Limit)
	return store.All(ctx, r, scan, query+fmt.Sprintf(" ORDER BY period, at, entry_id LIMIT $%d", len(args)), args...)
}

func placed(place string) (period string, at int64, id string, err error) {
	parts := strings.SplitN(place, "/", 3)
	if len(parts) == 3 {
		if at, err = strconv.ParseInt(parts[1], 10, 64); err == nil {
			return parts[0], at, parts[2], nil
		}
	}
	return "", 0, "", store.Refuse(store.InvalidValue, "", "cursor must be one that this server gave")
}
