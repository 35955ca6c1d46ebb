package simulator

import (
	"context"
	"net/url"
	"time"
)

// purchaseFacts are what procurement says about one purchase order.
type purchaseFacts struct {
	ID       string `json:"purchase_order_id"`
	Product  string `json:"product_id"`
	Location string `json:"location_id"`
	Status   string `json:"status"`
	Received int64  `json:"received"`
}

func (p purchaseFacts) open() bool { return p.Status != "received" && p.Status != "cancelled" }

func (r *run) purchasesOf(ctx context.Context, p *product) ([]purchaseFacts, error) {
	return all[purchaseFacts](ctx, r.http, "/purchase-orders", url.Values{"product_id": {p.id}})
}

// buy moves the purchase orders of a product on: staff approve proposals, now and then cancel one, and take deliveries in.
func (s *shop) buy(ctx context.Context, p *product) error {
	if !s.r.has("procurement") {
		return nil
	}
	orders, err := s.r.purchasesOf(ctx, p)
	if err != nil {
		return err
	}
	for _, o := range orders {
		path, body := "/purchase-orders/"+o.ID, map[string]any{}
		switch {
		case o.Status == "proposed" && s.rng.IntN(8) == 0:
			err = s.r.http.post(ctx, path+"/cancel", "cancel-"+o.ID, map[string]any{"reason": "simulated"}, nil)
		case o.Status == "proposed":
			err = s.r.http.post(ctx, path+"/approve", "approve-"+o.ID, body, nil)
		case o.Status == "approved":
			err = s.r.http.post(ctx, path+"/receive", "receive-"+o.ID, body, nil)
		}
		if err != nil && !refusedWith(err, "illegal_transition") {
			return err
		}
	}
	return nil
}

// awaitDeliveries waits until no purchase order is on its way into stock.
func (r *run) awaitDeliveries(ctx context.Context) error {
	if !r.has("procurement") {
		return nil
	}
	return r.patience().until(ctx, 100*time.Millisecond, func() (int, error) {
		receiving, err := all[purchaseFacts](ctx, r.http, "/purchase-orders", url.Values{"status": {"receiving"}})
		return len(receiving), err
	})
}

// deliveredOf adds up what purchase orders brought.
func (r *run) deliveredOf(ctx context.Context, p *product) (pieces int64, err error) {
	orders, err := r.purchasesOf(ctx, p)
	for _, o := range orders {
		if o.Status == "received" {
			pieces += o.Received
		}
	}
	return pieces, err
}

func (r *run) recountPurchases(ctx context.Context, b *books) error {
	return each(ctx, r.shop.products, askers, func(ctx context.Context, p *product) error {
		orders, err := r.purchasesOf(ctx, p)
		if err != nil {
			return err
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.purchases(p, orders)
		return nil
	})
}

// purchases checks one product's purchase orders against the adjustments that the audit trail tells of.
func (b *books) purchases(p *product, orders []purchaseFacts) {
	one := b.rule("procurement: at most one open purchase order per product and location")
	delivered := b.rule("procurement: every delivery raised the stock once")
	open := map[string]int{}
	for _, o := range orders {
		if o.open() {
			open[o.Location]++
		}
		if !b.trailed {
			continue
		}
		want := int64(0)
		if o.Status == "received" {
			want = o.Received
		}
		delivered.check(b.deliveries[o.ID] == want, "%s is %s with %d pieces, the trail tells of %d", o.ID, o.Status, o.Received, b.deliveries[o.ID])
	}
	for location, n := range open {
		one.check(n <= 1, "%s at %s has %d open purchase orders", p.id, location, n)
	}
	if len(open) == 0 {
		one.check(true, "")
	}
}
