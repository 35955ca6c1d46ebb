package accounting

import (
	"context"
	"fmt"
	"time"

	"github.com/first-viscount/viscount/store"
)

// A period is a month, UTC, as in 2026-01. Closing one closes every one before it.
const periodForm = "2006-01"

func periodOf(at time.Time) string { return at.UTC().Format(periodForm) }

func nextPeriod(period string) string {
	first, err := time.Parse(periodForm, period)
	if err != nil {
		return period // only what periodOf wrote is stored
	}
	return periodOf(first.AddDate(0, 1, 0))
}

// Period is a closed period as people see it.
type Period struct {
	Period   string    `json:"period"`
	ClosedAt time.Time `json:"closed_at"`
}

const (
	grace       = time.Hour // after the end of a month, before it can be closed: the clocks of instances differ
	periodsLock = "accounting/periods"
)

// Close ends a period: what happened in it and is heard later is posted into the open one, with a reference. It cannot be
// undone. Closing it again changes nothing.
func (s *Service) Close(ctx context.Context, tx *store.Tx, period string) (Period, error) {
	first, err := time.Parse(periodForm, period)
	if err != nil || periodOf(first) != period {
		return Period{}, store.Refuse(store.InvalidValue, "", "%q is no period: write a month as 2026-01", period)
	}
	if ends := first.AddDate(0, 1, 0).Add(grace); tx.Now().Before(ends) {
		return Period{}, store.Refuse(store.IllegalTransition, "", "%s can be closed from %s on, an hour after its end", period, ends.Format(time.RFC3339))
	}
	if err := tx.Lock(ctx, periodsLock); err != nil {
		return Period{}, err
	}
	last, found, err := lastClosed(ctx, tx)
	if err != nil || found && period <= last.Period {
		if err == nil && last.Period != period {
			last, err = closedWith(ctx, tx, period)
		}
		return last, err
	}
	closed := Period{Period: period, ClosedAt: tx.Now()}
	if _, err := tx.Exec(ctx, "INSERT INTO closed_periods (period, closed_at) VALUES ($1, $2)", period, store.Micros(closed.ClosedAt)); err != nil {
		return closed, fmt.Errorf("closing %s: %w", period, err)
	}
	return closed, nil
}

// openPeriod is the period into which an entry of a month is posted: that month, or the one after the last that is closed.
// Only a month that is over can be closed, so that only latecomers look, under the lock that a closing takes.
func openPeriod(ctx context.Context, tx *store.Tx, period string) (string, error) {
	if period >= periodOf(tx.Now()) {
		return period, nil
	}
	if err := tx.Lock(ctx, periodsLock); err != nil {
		return "", err
	}
	last, found, err := lastClosed(ctx, tx)
	if err == nil && found && period <= last.Period {
		period = nextPeriod(last.Period)
	}
	return period, err
}

func scanPeriod(s store.Scanner) (p Period, err error) {
	var at int64
	err = s.Scan(&p.Period, &at)
	p.ClosedAt = store.Time(at)
	return p, err
}

func lastClosed(ctx context.Context, r store.Reader) (Period, bool, error) {
	return store.One(ctx, r, scanPeriod, "SELECT period, closed_at FROM closed_periods ORDER BY period DESC LIMIT 1")
}

// closedWith tells when a period was closed: with the first closing that covers it.
func closedWith(ctx context.Context, r store.Reader, period string) (Period, error) {
	p, _, err := store.One(ctx, r, scanPeriod, "SELECT period, closed_at FROM closed_periods WHERE period >= $1 ORDER BY period LIMIT 1", period)
	p.Period = period
	return p, err
}

// Closed lists what was closed, newest first; each covers the ones before it.
func (s *Service) Closed(ctx context.Context, r store.Reader) ([]Period, error) {
	return store.All(ctx, r, scanPeriod, "SELECT period, closed_at FROM closed_periods ORDER BY period DESC")
}
