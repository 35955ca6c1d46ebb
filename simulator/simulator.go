// Package simulator is a crowd that uses a running platform over HTTP: staff who keep products and stock, shoppers who order,
// cancel and ask for refunds. Afterwards it recounts the platform's invariants from the raw facts that the API gives, not from
// totals that the server states.
//
// It imports events only.
package simulator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what a run does.
type Options struct {
	URL           string
	Token         string
	Orders        int
	Rate          float64 // orders a second; 0: as fast as they settle
	Seed          uint64
	Products      int           // 200 if 0
	SettleTimeout time.Duration // how long nothing may settle before the run gives up; 60 s if 0
	Progress      Progress      // may be nil
}

// Progress is told how far a run is.
type Progress interface {
	Phase(name string, total int)
	Add(n int)
	Done()
}

// Report is what a run found; its JSON is pinned (interfaces.md, simulate).
type Report struct {
	Orders             int            `json:"orders"`
	Seed               uint64         `json:"seed"`
	RunID              string         `json:"run_id"`
	Duration           float64        `json:"duration_seconds"`
	OrdersPerSecond    float64        `json:"orders_per_second"`
	Latency            Latency        `json:"latency_ms"`
	Outcomes           Outcomes       `json:"outcomes"`
	Invariants         []Invariant    `json:"invariants"`
	DuplicatesAbsorbed int64          `json:"duplicates_absorbed"`
	DeadLetters        int64          `json:"dead_letters"`
	CommitsPerOrder    float64        `json:"commits_per_order"` // 0 if the server was restarted meanwhile
	Refused            int            `json:"refused"`           // orders that were turned away, as they should be
	Reasons            map[string]int `json:"cancellation_reasons"`
	Skipped            []string       `json:"skipped_services,omitzero"` // that the platform does not run: neither played nor recounted
}

// Latency is from POST to settled, in milliseconds.
type Latency struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
}

// Outcomes count how the orders ended.
type Outcomes struct {
	Completed int `json:"completed"`
	Cancelled int `json:"cancelled"`
	Refunded  int `json:"refunded"`
}

// Invariant is one rule with what was found.
type Invariant struct {
	Name   string `json:"name"`
	Held   bool   `json:"held"`
	Detail string `json:"detail"`

	Checked int `json:"checked"` // facts that were compared; of an invariant with none, nothing is known
}

// Broken tells whether an invariant does not hold.
func (r *Report) Broken() bool {
	return slices.ContainsFunc(r.Invariants, func(i Invariant) bool { return !i.Held })
}

const (
	shoppers = 64  // requests in flight
	unended  = 256 // orders placed and not settled, without a rate
	askers   = 32  // requests in flight while recounting
)

// run is one simulation.
type run struct {
	Options
	id        string
	http      *client
	services  []string // of the parts: those that are there
	before    revenueFacts
	shop      *shop
	contacts  []contact      // of customers who left an address
	hooks     *receiver      // nil: the platform calls no webhook here
	newest    string         // message before the run
	gathering []messageFacts // before the run
	orders    []*order
	watch     *watcher
	progress  Progress
	refused   atomic.Int64
	failed    atomic.Pointer[error] // the first answer that no retry could mend
}

// Run simulates and recounts. Its error says that the run could not be done; broken invariants are in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Orders < 1 {
		return nil, errors.New("--orders must be at least 1")
	}
	if o.Products == 0 {
		o.Products = 200
	}
	if o.SettleTimeout == 0 {
		o.SettleTimeout = time.Minute
	}
	r := &run{Options: o, id: strconv.FormatInt(time.Now().UnixMilli(), 36), http: newClient(o), progress: o.Progress}
	if r.progress == nil {
		r.progress = silent{}
	}
	defer r.http.close()
	defer r.closeHooks()
	r.shop = newShop(r)
	before, err := r.http.platform(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.findParts(ctx, before.services); err != nil {
		return nil, err
	}
	if err := r.begin(ctx); err != nil {
		return nil, err
	}
	if err := r.shop.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the shop: %w", err), r.withdraw(ctx))
	}
	report, err := r.simulate(ctx, before)
	return report, errors.Join(err, r.withdraw(ctx))
}

func (r *run) simulate(ctx context.Context, before platformFacts) (*Report, error) {
	r.plan()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	r.watch = newWatcher(r)
	ready := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() { r.watch.follow(watching, ready) })
	defer watcher.Wait()
	defer stop()
	select {
	case <-ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.progress.Phase("orders", len(r.orders))
	began := time.Now()
	err := r.placeAll(ctx)
	if err == nil {
		err = r.watch.settle(ctx)
	}
	duration := time.Since(began)
	r.progress.Done()
	if failed := r.failed.Load(); failed != nil {
		return nil, *failed
	}
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	stop()
	watcher.Wait()
	return r.recount(ctx, before, duration)
}

// plan decides what every order will be, from the seed alone.
func (r *run) plan() {
	rng := rand.New(rand.NewPCG(r.Seed, 1))
	for i := range r.Orders {
		r.orders = append(r.orders, r.shop.plan(rng, i))
	}
}

// placeAll sends shoppers with the orders, and staff among them.
func (r *run) placeAll(ctx context.Context) error {
	queue := make(chan *order)
	var crowd sync.WaitGroup
	for range shoppers {
		crowd.Go(func() {
			for o := range queue {
				if err := r.live(ctx, o); err != nil {
					r.failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	crowd.Go(func() { r.shop.work(ctx, r) })
	err := r.feed(ctx, queue)
	close(queue)
	r.shop.leave()
	crowd.Wait()
	return err
}

func (r *run) feed(ctx context.Context, queue chan<- *order) error {
	room := r.watch.room
	var pace <-chan time.Time
	if r.Rate > 0 {
		tick := time.NewTicker(time.Duration(float64(time.Second) / r.Rate))
		defer tick.Stop()
		pace = tick.C
	}
	for _, o := range r.orders {
		if r.failed.Load() != nil {
			return nil
		}
		if pace != nil {
			select {
			case <-pace:
			case <-ctx.Done():
				return ctx.Err()
			}
		} else if err := r.watch.waitForRoom(ctx, room); err != nil {
			return err
		}
		select {
		case queue <- o:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

type silent struct{}

func (silent) Phase(string, int) {}
func (silent) Add(int)           {}
func (silent) Done()             {}
