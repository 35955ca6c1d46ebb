package simulator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/first-viscount/viscount/events"
)

// product is one product of the run with staff's own books.
type product struct {
	id       string
	price    events.Money // the current one
	moving   bool         // staff change its price: orders that name a price may see an old one
	scarce   bool
	doomed   bool // staff delete or deactivate it in mid-run
	deleted  bool
	adjusted int64 // Σ of staff's adjustments

	delivered int64 // Σ of received purchase orders
}

// shop is the staff and what they sell.
type shop struct {
	r        *run
	mu       sync.Mutex
	products []*product
	rng      *rand.Rand
	gone     chan struct{}
	once     sync.Once
	step     int
}

const blockedCustomer = "cust_blocked" // stands in the platform's default list

func newShop(r *run) *shop {
	s := &shop{r: r, rng: rand.New(rand.NewPCG(r.Seed, 2)), gone: make(chan struct{})}
	for i := range r.Products {
		s.products = append(s.products, &product{
			id: fmt.Sprintf("prod_%d_%s_%d", r.Seed, r.id, i), price: events.Money(100 + s.rng.IntN(9900)),
			scarce: i%20 == 1, moving: i%20 == 2, doomed: i%50 == 3,
		})
	}
	return s
}

// open creates and stocks the products, and waits until they can be ordered everywhere.
func (s *shop) open(ctx context.Context) error {
	s.r.progress.Phase("products", len(s.products))
	defer s.r.progress.Done()
	if err := s.introduce(ctx); err != nil {
		return err
	}
	return each(ctx, s.products, askers, func(ctx context.Context, p *product) error {
		body := map[string]any{"product_id": p.id, "name": "Product " + p.id, "category_id": s.category(), "price": p.price}
		if err := s.r.http.post(ctx, "/products", "", body, nil); err != nil {
			return err
		}
		stock := int64(1_000_000)
		if p.scarce {
			stock = 20
		}
		if err := s.stockWhenKnown(ctx, p, stock); err != nil {
			return err
		}
		s.r.progress.Add(1)
		return nil
	})
}

// stockWhenKnown restocks as soon as inventory has heard of the product.
func (s *shop) stockWhenKnown(ctx context.Context, p *product, stock int64) error {
	deadline := time.Now().Add(s.r.SettleTimeout)
	for {
		err := s.adjust(ctx, p, stock, events.AdjustmentRestock)
		if !refusedWith(err, "not_found") || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// adjust changes stock and books it, if inventory accepts it.
func (s *shop) adjust(ctx context.Context, p *product, change int64, kind string) error {
	s.mu.Lock()
	s.step++
	key := fmt.Sprintf("adjust-%s-%d", s.r.id, s.step)
	s.mu.Unlock()
	body := map[string]any{"product_id": p.id, "change": change, "adjustment_type": kind, "reason": "simulated"}
	err := s.r.http.post(ctx, "/inventory/adjust", key, body, nil)
	if err == nil {
		s.mu.Lock()
		p.adjusted += change
		s.mu.Unlock()
	}
	return err
}

// work is staff's day: restocks, damage, price changes, manual reservations, and products that go out of the catalog.
func (s *shop) work(ctx context.Context, r *run) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-s.gone:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p := s.products[s.rng.IntN(len(s.products))]
		if err := s.act(ctx, n, p); err != nil && !refusedWith(err, "insufficient_stock", "not_found", "inactive_product", "unknown_product", "illegal_transition") && ctx.Err() == nil {
			r.failed.CompareAndSwap(nil, &err)
			return
		}
	}
}

func (s *shop) act(ctx context.Context, n int, p *product) error {
	switch n % 6 {
	case 0:
		return s.adjust(ctx, s.pick(func(p *product) bool { return p.scarce }), 10, events.AdjustmentRestock)
	case 1:
		return s.adjust(ctx, p, -1, events.AdjustmentDamage)
	case 2:
		return s.changePrice(ctx, s.pick(func(p *product) bool { return p.moving }), n%10 == 2)
	case 3:
		return s.reserveAndRelease(ctx, p)
	case 4:
		return s.buy(ctx, s.pick(func(p *product) bool { return p.scarce }))
	}
	return s.doom(ctx)
}

// pick chooses a product of a kind; any product if there is none.
func (s *shop) pick(kind func(*product) bool) *product {
	start := s.rng.IntN(len(s.products))
	for i := range s.products {
		if p := s.products[(start+i)%len(s.products)]; kind(p) {
			return p
		}
	}
	return s.products[start]
}

// changePrice sets a new price, at once or in a second.
func (s *shop) changePrice(ctx context.Context, p *product, later bool) error {
	price := p.price + events.Money(s.rng.IntN(50)+1)
	body := map[string]any{"name": "Product " + p.id, "category_id": s.category(), "price": price}
	if later {
		body["effective_date"] = time.Now().Add(time.Second).UTC()
	}
	if err := s.r.http.send(ctx, http.MethodPut, "/products/"+p.id, "", body, nil); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p.price = price
	return nil
}

func (s *shop) reserveAndRelease(ctx context.Context, p *product) error {
	var held struct {
		ReservationID string `json:"reservation_id"`
	}
	s.mu.Lock()
	s.step++
	key := fmt.Sprintf("reserve-%s-%d", s.r.id, s.step)
	s.mu.Unlock()
	if err := s.r.http.post(ctx, "/inventory/reserve", key, map[string]any{"product_id": p.id, "quantity": 1}, &held); err != nil {
		return err
	}
	return s.r.http.post(ctx, "/inventory/release", "release-"+key, map[string]any{"reservation_id": held.ReservationID, "reason": "manual"}, nil)
}

// doom takes one of the doomed products out of the catalog: one in two is deleted, the others become inactive.
func (s *shop) doom(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.products {
		if !p.doomed || s.rng.IntN(20) > 0 {
			continue
		}
		p.doomed = false
		path := "/products/" + p.id
		if i%100 == 3 {
			p.deleted = true
			return s.r.http.send(ctx, http.MethodDelete, path+"?reason=discontinued", "", nil, nil)
		}
		return s.r.http.send(ctx, http.MethodPut, path, "", map[string]any{"name": "Product " + p.id, "category_id": s.category(), "price": p.price, "is_active": false}, nil)
	}
	return nil
}

func (s *shop) leave() { s.once.Do(func() { close(s.gone) }) }

// priceOf is what a shopper sees.
func (s *shop) priceOf(p *product) events.Money {
	s.mu.Lock()
	defer s.mu.Unlock()
	return p.price
}

// each runs f on every item, up to n at once, and answers the first error.
func each[T any](ctx context.Context, items []T, n int, f func(ctx context.Context, item T) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan T)
	var mu sync.Mutex
	var first error
	var workers sync.WaitGroup
	for range n {
		workers.Go(func() {
			for item := range queue {
				if err := f(ctx, item); err != nil {
					mu.Lock()
					if first == nil {
						first = err
					}
					mu.Unlock()
					cancel()
				}
			}
		})
	}
	for _, item := range items {
		select {
		case queue <- item:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(queue)
	workers.Wait()
	if first == nil {
		first = ctx.Err()
	}
	return first
}
