package analytics

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Range is what a report is about.
type Range struct {
	From, To time.Time     // To is not part of it; zero: to the end
	By       time.Duration // Hour or Day
	Product  string        // of this product only, where the report knows products
}

// The buckets of a report, which begin at full hours and midnight, UTC.
const (
	Hour = time.Hour
	Day  = 24 * time.Hour
)

// Table is a report: a value is a time, an amount, a number or a text.
type Table struct {
	Columns []string
	Rows    [][]any
}

const mostRows = 100_000

// Report is what can be asked.
type Report struct {
	Name, Purpose string
	columns       []column
	query         string // bucketed($1 size, $2 from, $3 to, $4 product); "" for one that is worked out
	work          func(ctx context.Context, r store.Reader, of Range, now time.Time) ([][]any, error)
}

type column struct {
	name string
	kind func() any // what its value is scanned into
}

func moment() any { return new(microseconds) }
func amount() any { return new(events.Money) }
func number() any { return new(int64) }
func text() any   { return new(string) }

// microseconds is a time as it is stored.
type microseconds int64

func value(scanned any) any {
	switch v := scanned.(type) {
	case *microseconds:
		return store.Time(int64(*v))
	case *events.Money:
		return *v
	case *int64:
		return *v
	case *string:
		return *v
	}
	return nil
}

// sales are completed orders and the refunds of orders that ever completed: refunds of cancelled ones change no revenue.
const sales = `(SELECT at, currency, 1 AS orders, amount AS gross, 0 AS refunds, 0 AS refunded FROM completed_orders
	UNION ALL SELECT refunds.at, o.currency, 0, 0, 1, refunds.amount FROM refunds JOIN completed_orders AS o ON o.order_id = refunds.order_id) AS sales`

// within reads the rows of a table in the range, by bucket.
func within(what, from, at, product, group string) string {
	where := " WHERE " + at + " >= $2 AND " + at + " < $3 AND ($4 = '' OR " + product + " = $4)"
	return "SELECT " + at + " - " + at + " % $1 AS bucket, " + what + " FROM " + from + where + " GROUP BY " + group + " ORDER BY " + group
}

func sum(expression string) string { return "CAST(SUM(" + expression + ") AS BIGINT)" }

var (
	begins   = column{"begins_at", moment}
	product  = column{"product_id", text}
	location = column{"location_id", text}
)

// Reports are what can be asked.
var Reports = []Report{
	{
		Name: "orders", Purpose: "Completed orders and refunds of such orders",
		columns: []column{begins, {"currency", text}, {"completed", number}, {"refunds", number}},
		query:   within("currency, "+sum("orders")+", "+sum("refunds"), sales, "at", "''", "1, 2"),
	},
	{
		Name: "revenue", Purpose: "What completed orders brought, net of their refunds",
		columns: []column{begins, {"currency", text}, {"gross", amount}, {"refunded", amount}, {"net", amount}},
		query:   within("currency, "+sum("gross")+", "+sum("refunded")+", "+sum("gross - refunded"), sales, "at", "''", "1, 2"),
	},
	{
		Name: "demand", Purpose: "What was reserved and given back, per product and location",
		columns: []column{begins, product, location, {"reserved", number}, {"released", number}, {"net", number}},
		query:   within("product_id, location_id, "+sum("reserved")+", "+sum("released")+", "+sum("reserved - released"), "demand", "hour", "product_id", "1, 2, 3"),
	},
	{
		Name: "failed_reservations", Purpose: "Orders that could not be served (without a product), and the products that were missing",
		columns: []column{begins, {"reason", text}, product, location, {"failures", number}, {"requested", number}, {"missing", number}},
		query: within("reason, product_id, location_id, "+sum("failures")+", "+sum("requested")+", "+sum("missing"), "failed_reservations", "hour", "product_id",
			"1, 2, 3, 4"),
	},
	{
		Name: "shrinkage", Purpose: "What adjustments found and lost, per type",
		columns: []column{begins, {"adjustment_type", text}, {"adjustments", number}, {"gained", number}, {"lost", number}, {"net", number}},
		query: within("adjustment_type, "+sum("adjustments")+", "+sum("gained")+", "+sum("lost")+", "+sum("gained - lost"), "adjustments", "hour", "product_id",
			"1, 2"),
	},
	{
		Name: "stockouts", Purpose: "How often a product ran out, with the location where it ran out last",
		columns: []column{begins, product, location, {"stockouts", number}},
		query:   within("product_id, location_id, "+sum("stockouts"), "stockouts", "hour", "product_id", "1, 2, 3"),
	},
	{
		Name: "prices", Purpose: "The history of prices, each with the time from which it holds; not by hour or day",
		columns: []column{product, {"since", moment}, {"old_price", amount}, {"new_price", amount}, {"announced_at", moment}},
		query: `SELECT product_id, since, old_price, new_price, announced_at FROM prices WHERE CAST($1 AS BIGINT) > 0 AND since >= $2 AND since < $3 AND ($4 = '' OR product_id = $4)
			ORDER BY product_id, since, announced_at, event_id`,
	},
	{
		Name: "low_stock", Purpose: "For how long stock was at or under its threshold, per product and location",
		columns: []column{begins, product, location, {"seconds", number}},
		work:    lowStock,
	},
}

// Find finds a report by name.
func Find(name string) (Report, bool) {
	i := slices.IndexFunc(Reports, func(r Report) bool { return r.Name == name })
	if i < 0 {
		return Report{}, false
	}
	return Reports[i], true
}

// Read works a report out.
func (s *Service) Read(ctx context.Context, r store.Reader, report Report, of Range) (t Table, err error) {
	for _, c := range report.columns {
		t.Columns = append(t.Columns, c.name)
	}
	if report.work != nil {
		t.Rows, err = report.work(ctx, r, of, s.now())
	} else {
		from, to := of.micros()
		t.Rows, err = store.All(ctx, r, report.scan, report.query+" LIMIT "+strconv.Itoa(mostRows+1), of.By.Microseconds(), from, to, of.Product)
	}
	if err != nil {
		return t, fmt.Errorf("reading the report %s: %w", report.Name, err)
	}
	if len(t.Rows) > mostRows {
		return t, store.Refuse(store.InvalidValue, "", "the report has more than %d rows: ask for less with from, to, by or product_id", mostRows)
	}
	return t, nil
}

func (s *Service) now() time.Time {
	if s.Clock == nil {
		return time.Now().UTC()
	}
	return s.Clock().UTC()
}

func (r Report) scan(row store.Scanner) ([]any, error) {
	into := make([]any, len(r.columns))
	for i, c := range r.columns {
		into[i] = c.kind()
	}
	if err := row.Scan(into...); err != nil {
		return nil, err
	}
	for i := range into {
		into[i] = value(into[i])
	}
	return into, nil
}

// micros are the ends of the range; all times are after 1970.
func (r Range) micros() (from, to int64) {
	from, to = 0, store.Micros(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	if !r.From.IsZero() {
		from = max(store.Micros(r.From), 0)
	}
	if !r.To.IsZero() {
		to = store.Micros(r.To)
	}
	return from, to
}
