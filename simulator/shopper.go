package simulator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/first-viscount/viscount/events"
)

// intent is what a shopper is about.
type intent int

const (
	buy            intent = iota
	wrongPrice            // names a price that never was
	blocked               // is on the platform's list
	unknownProduct        // orders what does not exist
	cancelAtOnce
	cancelLater
	refundPart
	refundAll
)

// order is one shopper's order: the plan, and what was done.
type order struct {
	id       string
	intent   intent
	customer string
	lines    []orderLine
	delay    time.Duration // before a later cancellation
	looks    bool          // searches before

	posted    time.Time
	settled   time.Time
	cancelled bool         // a cancellation was accepted
	refunds   events.Money // accepted refund requests
	movable   bool         // a line named the price of a product whose price moves
	placed    bool
	refused   bool
	watch     watched
}

type orderLine struct {
	product  *product
	quantity int64
	named    bool // the shopper names the price
}

// plan draws one order.
func (s *shop) plan(rng *rand.Rand, i int) *order {
	o := &order{id: fmt.Sprintf("order_%d_%s_%06d", s.r.Seed, s.r.id, i), customer: s.r.customer(rng.IntN(1000)), looks: i%10 == 0, intent: draw(rng)}
	for range 1 + rng.IntN(5) {
		o.lines = append(o.lines, orderLine{product: s.products[rng.IntN(len(s.products))], quantity: 1 + rng.Int64N(3), named: rng.IntN(10) < 7})
	}
	o.delay = time.Duration(rng.IntN(100)) * time.Millisecond
	if o.intent == blocked {
		o.customer = blockedCustomer
	}
	return o
}

func draw(rng *rand.Rand) intent {
	switch n := rng.IntN(100); {
	case n < 4:
		return wrongPrice
	case n < 6:
		return blocked
	case n < 7:
		return unknownProduct
	case n < 12:
		return cancelAtOnce
	case n < 17:
		return cancelLater
	case n < 21:
		return refundPart
	case n < 24:
		return refundAll
	}
	return buy
}

type itemBody struct {
	ProductID string        `json:"product_id"`
	Quantity  int64         `json:"quantity"`
	UnitPrice *events.Money `json:"unit_price,omitzero"`
}

func (o *order) body(s *shop) map[string]any {
	var items []itemBody
	for i, l := range o.lines {
		item := itemBody{ProductID: l.product.id, Quantity: l.quantity}
		price := s.priceOf(l.product)
		if l.named || o.intent == wrongPrice {
			item.UnitPrice = &price
			o.movable = o.movable || l.product.moving
		}
		if i == 0 && o.intent == wrongPrice {
			price += 100_000
		}
		if i == 0 && o.intent == unknownProduct {
			item.ProductID = "prod_nowhere_" + s.r.id
		}
		items = append(items, item)
	}
	return map[string]any{
		"order_id": o.id, "customer_id": o.customer, "items": items,
		"shipping_address": map[string]string{"street": "1 Simulated Street", "city": "Anytown", "state": "CA", "zip": "12345", "country": "US"},
	}
}

// live is a shopper's day: the order, then what the shopper meant to do with it.
func (r *run) live(ctx context.Context, o *order) error {
	if o.looks {
		if err := r.look(ctx, o); err != nil {
			return err
		}
	}
	o.posted = time.Now()
	r.watch.expect(o)
	err := r.http.post(ctx, "/orders", "", o.body(r.shop), nil)
	if refusedWith(err, "unknown_product", "inactive_product") {
		o.refused = true
		r.refused.Add(1)
		r.watch.forget(o)
		return nil
	}
	if err != nil {
		return err
	}
	o.placed = true
	switch o.intent {
	case cancelAtOnce:
		return r.cancel(ctx, o)
	case cancelLater:
		r.watch.after(ctx, o.delay, func(ctx context.Context) error { return r.cancel(ctx, o) })
	case refundPart, refundAll:
		r.watch.onCompleted(o, func(ctx context.Context) error { return r.refund(ctx, o) })
	}
	return nil
}

func (r *run) cancel(ctx context.Context, o *order) error {
	err := r.http.post(ctx, "/orders/"+o.id+"/cancel", "cancel-"+o.id, map[string]any{}, nil)
	if err == nil {
		o.cancelled = true
	}
	if refusedWith(err, "illegal_transition") {
		return nil // it was completed or cancelled before
	}
	return err
}

func (r *run) refund(ctx context.Context, o *order) error {
	body := map[string]any{"reason": "damaged"}
	if o.intent == refundPart {
		body["amount"] = events.Money(50)
	}
	var answer struct {
		Total events.Money `json:"final_amount"`
	}
	err := r.http.post(ctx, "/orders/"+o.id+"/refund", "refund-"+o.id, body, &answer)
	if err != nil {
		return err
	}
	o.refunds = answer.Total
	if o.intent == refundPart {
		o.refunds = 50
	}
	return nil
}
