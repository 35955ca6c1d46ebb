package simulator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/first-viscount/viscount/events"
)

// The API's raw facts, as far as they are recounted.
type orderFacts struct {
	OrderID  string       `json:"order_id"`
	Status   string       `json:"status"`
	Settled  bool         `json:"settled"`
	Total    events.Money `json:"total_amount"`
	Final    events.Money `json:"final_amount"`
	Refunded events.Money `json:"refunded_amount"`
	Reason   string       `json:"cancellation_reason"`
	Items    []struct {
		ProductID  string       `json:"product_id"`
		Quantity   int64        `json:"quantity"`
		UnitPrice  events.Money `json:"unit_price"`
		TotalPrice events.Money `json:"total_price"`
	} `json:"items"`
	History []struct {
		Status string `json:"status"`
	} `json:"history"`
}

type paymentFacts struct {
	Status   string       `json:"status"`
	Captured events.Money `json:"captured"`
	Refunded events.Money `json:"refunded"`
}

type fulfillmentFacts struct {
	Status string `json:"status"`
}

type reservationFacts struct {
	ProductID string `json:"product_id"`
	Quantity  int64  `json:"quantity"`
	Status    string `json:"status"`
}

type traceEvent struct {
	EventID    string `json:"event_id"`
	EventType  string `json:"event_type"`
	Key        string `json:"key"`
	Sequence   int64  `json:"sequence"`
	Deliveries []struct {
		Service string    `json:"service"`
		State   string    `json:"state"`
		At      time.Time `json:"at"`
	} `json:"deliveries"`
	Children []traceEvent `json:"children"`
}

type traceFacts struct {
	Events  []traceEvent `json:"events"`
	Awaited []awaited    `json:"awaited"`
}

type awaited struct {
	Service   string `json:"service"`
	EventType string `json:"event_type"`
}

type locationFacts struct {
	LocationID string `json:"location_id"`
	Adjusted   int64  `json:"adjusted"`
	Shipped    int64  `json:"shipped"`
	OnHand     int64  `json:"on_hand"`
	Reserved   int64  `json:"reserved"`
	Available  int64  `json:"available"`
}

// facts are everything that the API says about one order.
type facts struct {
	plan         *order
	found        bool
	order        orderFacts
	payments     []paymentFacts
	fulfillments []fulfillmentFacts
	reservations []reservationFacts
	trace        traceFacts
}

type items[T any] struct {
	Items []T `json:"items"`
}

func (r *run) factsOf(ctx context.Context, o *order) (f facts, err error) {
	f.plan = o
	err = r.http.get(ctx, "/orders/"+o.id, &f.order)
	if refusedWith(err, "not_found") {
		return f, nil
	}
	f.found = true
	if err == nil {
		var list items[paymentFacts]
		err = r.http.get(ctx, "/payments?order_id="+o.id, &list)
		f.payments = list.Items
	}
	if err == nil {
		var list items[fulfillmentFacts]
		err = r.http.get(ctx, "/fulfillments?order_id="+o.id, &list)
		f.fulfillments = list.Items
	}
	if err == nil {
		var list items[reservationFacts]
		err = r.http.get(ctx, "/inventory/reservations?order_id="+o.id, &list)
		f.reservations = list.Items
	}
	if err == nil {
		err = r.http.get(ctx, "/trace/"+o.id, &f.trace)
	}
	return f, err
}

// recount asks for every fact of the run and judges the invariants.
func (r *run) recount(ctx context.Context, before platformFacts, took time.Duration) (*Report, error) {
	after, err := r.http.platform(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.awaitDeliveries(ctx); err != nil {
		return nil, err
	}
	if err := r.quiesce(ctx); err != nil {
		return nil, err
	}
	r.progress.Phase("recount", len(r.orders))
	defer r.progress.Done()
	b := newBooks(r)
	patience := r.patience()
	err = each(ctx, r.orders, askers, func(ctx context.Context, o *order) error {
		f, err := r.finalFacts(ctx, o, patience)
		if err != nil {
			return fmt.Errorf("recounting %s: %w", o.id, err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.order(f)
		r.progress.Add(1)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := r.recountStock(ctx, b); err != nil {
		return nil, err
	}
	skipped, err := r.recountParts(ctx, b)
	if err != nil {
		return nil, err
	}
	last, err := r.http.platform(ctx)
	if err != nil {
		return nil, err
	}
	b.rule("no dead letter").check(last.dead == before.dead, "the platform has %d dead letters, it had %d before", last.dead, before.dead)
	report := r.report(b, before, after, took)
	report.Skipped = skipped
	return report, nil
}

func (r *run) recountStock(ctx context.Context, b *books) error {
	return each(ctx, r.shop.products, askers, func(ctx context.Context, p *product) error {
		var stock struct {
			Locations []locationFacts `json:"locations"`
		}
		err := r.http.get(ctx, "/inventory/"+p.id, &stock)
		if err == nil && r.has("procurement") {
			p.delivered, err = r.deliveredOf(ctx, p)
		}
		if err != nil {
			return fmt.Errorf("recounting %s: %w", p.id, err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.stock(p, stock.Locations)
		return nil
	})
}

// quiesce waits until nothing of the run is on its way any more: the last shipments and releases follow the settled orders.
func (r *run) quiesce(ctx context.Context) error {
	calm := 0
	return r.patience().until(ctx, 100*time.Millisecond, func() (int, error) {
		var status struct {
			Services []struct {
				Pending  int64 `json:"outbox_pending"`
				InFlight int64 `json:"in_flight"`
				Lag      int64 `json:"lag_events"`
			} `json:"services"`
		}
		if err := r.http.get(ctx, "/status", &status); err != nil {
			return 0, err
		}
		var left int64
		for _, s := range status.Services {
			left += s.Pending + s.InFlight + s.Lag
		}
		if calm++; left > 0 {
			calm = 0
		}
		return int(left) + max(2-calm, 0), nil // twice in a row, since an event may be between two of them
	})
}

// finalFacts are an order's facts when nobody's outcome is awaited any more, or no order's outcomes come any more. A broker may
// hold events that no status tells of: Pub/Sub does not say how many.
func (r *run) finalFacts(ctx context.Context, o *order, p *patience) (f facts, err error) {
	err = p.until(ctx, patienceStep, func() (int, error) {
		f, err = r.factsOf(ctx, o)
		return len(f.trace.Awaited), err
	})
	return f, err
}

func (r *run) report(b *books, before, after platformFacts, took time.Duration) *Report {
	var latencies []float64
	for _, o := range r.orders {
		if !o.settled.IsZero() {
			latencies = append(latencies, float64(o.settled.Sub(o.posted))/float64(time.Millisecond))
		}
	}
	slices.Sort(latencies)
	report := &Report{
		Orders: len(r.orders), Seed: r.Seed, RunID: r.id, Duration: took.Seconds(), OrdersPerSecond: float64(len(r.orders)) / took.Seconds(),
		Latency:  Latency{P50: percentile(latencies, 50), P95: percentile(latencies, 95), P99: percentile(latencies, 99)},
		Outcomes: b.outcomes, Invariants: b.invariants(), DuplicatesAbsorbed: after.duplicates - before.duplicates, DeadLetters: after.dead,
		Refused: int(r.refused.Load()), Reasons: b.reasons,
	}
	if after.started == before.started {
		report.CommitsPerOrder = (after.commits - before.commits) / float64(len(r.orders))
	}
	return report
}

// percentile is the nearest-rank percentile of sorted values.
func percentile(sorted []float64, p int) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max((len(sorted)*p+99)/100-1, 0)]
}

// rule collects what breaks one invariant.
type rule struct {
	name    string
	checked int
	broken  []string
}

func (r *rule) check(held bool, format string, args ...any) {
	r.checked++
	if !held {
		r.broken = append(r.broken, fmt.Sprintf(format, args...))
	}
}

const shown = 3 // offenders named in a detail

func (r *rule) invariant() Invariant {
	i := Invariant{Name: r.name, Held: len(r.broken) == 0, Checked: r.checked, Detail: fmt.Sprintf("%d checked", r.checked)}
	if r.checked == 0 {
		i.Detail = "nothing to check"
	}
	if !i.Held {
		slices.Sort(r.broken)
		i.Detail = fmt.Sprintf("%d of %d broken: %s", len(r.broken), r.checked, strings.Join(r.broken[:min(shown, len(r.broken))], "; "))
	}
	return i
}
