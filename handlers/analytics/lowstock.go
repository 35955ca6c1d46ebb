package analytics

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/first-viscount/viscount/store"
)

// episode is a time during which stock was at or under its threshold: from an alert to the first level above the threshold
// that the alert names. One that has not ended lasts until now.
type episode struct {
	product, location string
	from, to          time.Time
}

// lowStock works out for how long stock was low in each bucket.
func lowStock(ctx context.Context, r store.Reader, of Range, now time.Time) ([][]any, error) {
	from, to := of.micros()
	all, err := store.All(ctx, r, func(s store.Scanner) (e episode, err error) {
		var from int64
		var to sql.NullInt64
		err = s.Scan(&e.product, &e.location, &from, &to)
		e.from, e.to = store.Time(from), now
		if to.Valid {
			e.to = store.Time(to.Int64)
		}
		return e, err
	}, `SELECT product_id, location_id, MIN(at), ended FROM (
			SELECT a.product_id, a.location_id, a.at, (SELECT MIN(l.at) FROM levels AS l
				WHERE l.product_id = a.product_id AND l.location_id = a.location_id AND l.at > a.at AND l.available > a.threshold) AS ended
			FROM alerts AS a WHERE a.at < $1 AND ($2 = '' OR a.product_id = $2)) AS episodes
		GROUP BY product_id, location_id, ended HAVING ended IS NULL OR ended > $3`, to, of.Product, from)
	if err != nil {
		return nil, err
	}
	return spread(all, store.Time(from), store.Time(to), of.By), nil
}

// spread divides episodes among the buckets that they touch. Those of one place may overlap where the threshold was changed
// meanwhile: a moment counts once.
func spread(all []episode, from, to time.Time, by time.Duration) [][]any {
	slices.SortFunc(all, func(a, b episode) int {
		return cmp.Or(cmp.Compare(a.product, b.product), cmp.Compare(a.location, b.location), a.from.Compare(b.from))
	})
	type bucket struct {
		begins            time.Time
		product, location string
	}
	lasted := map[bucket]time.Duration{}
	var until time.Time
	for i, e := range all {
		if i == 0 || all[i-1].product != e.product || all[i-1].location != e.location {
			until = from
		}
		for at := later(e.from, until); at.Before(e.to) && at.Before(to); {
			begins := at.Truncate(by)
			end := earlier(earlier(begins.Add(by), e.to), to)
			lasted[bucket{begins, e.product, e.location}] += end.Sub(at)
			at = end
		}
		until = later(until, e.to)
	}
	rows := make([][]any, 0, len(lasted))
	for b, d := range lasted {
		rows = append(rows, []any{b.begins, b.product, b.location, int64(d.Seconds())})
	}
	slices.SortFunc(rows, func(a, b []any) int {
		return cmp.Or(a[0].(time.Time).Compare(b[0].(time.Time)), cmp.Compare(a[1].(string), b[1].(string)), cmp.Compare(a[2].(string), b[2].(string)))
	})
	return rows
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
