package simulator

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/first-viscount/viscount/events"
)

// books are the run's own account of what the API says.
type books struct {
	r        *run
	rules    []*rule
	byName   map[string]*rule
	shipped  map[string]int64 // by product, of orders that ever completed
	captured events.Money     // Σ captured − refunded of orders that ever completed
	revenue  events.Money     // Σ final − refunded of them
	outcomes Outcomes
	reasons  map[string]int

	mu         sync.Mutex
	ended      []ended          // the run's orders, for the services that only listen
	adjusted   map[string]int64 // by product, as inventory says
	deliveries map[string]int64 // by reference number, as the audit trail says
	trailed    bool             // the trail was recounted
}

// ended is what is known of an order when everything is over.
type ended struct {
	id, customer                        string
	completed                           bool
	final, refunded, captured, paidBack events.Money
	announced                           []string // ids of the events that its customer is told of
}

// money tells whether the customer service has heard of the order: it was completed, or money went back.
func (e ended) money() bool { return e.completed || e.refunded > 0 }

func newBooks(r *run) *books {
	return &books{r: r, byName: map[string]*rule{}, shipped: map[string]int64{}, reasons: map[string]int{}, adjusted: map[string]int64{}, deliveries: map[string]int64{}}
}

func (b *books) rule(name string) *rule {
	if b.byName[name] == nil {
		b.byName[name] = &rule{name: name}
		b.rules = append(b.rules, b.byName[name])
	}
	return b.byName[name]
}

func (b *books) invariants() []Invariant {
	b.rule("money: captured - refunded = revenue").check(b.captured == b.revenue, "payments hold %s for completed orders, orders account for %s", b.captured, b.revenue)
	all := make([]Invariant, len(b.rules))
	for i, r := range b.rules {
		all[i] = r.invariant()
	}
	slices.SortFunc(all, func(a, b Invariant) int { return strings.Compare(a.Name, b.Name) })
	return all
}

var legalPaths = []string{
	"pending validated completed", "pending validated completed refunded",
	"pending cancelled", "pending cancelled refunded", "pending validated cancelled", "pending validated cancelled refunded",
}

// order books one order.
func (b *books) order(f facts) {
	id := f.plan.id
	b.rule("orders: accepted ones exist, refused ones do not").check(f.found == !f.plan.refused, "%s: found %t, refused %t", id, f.found, f.plan.refused)
	if !f.found || f.plan.refused {
		return
	}
	b.rule("orders: every one is settled").check(f.order.Settled, "%s is %s", id, f.order.Status)
	path := make([]string, len(f.order.History))
	for i, step := range f.order.History {
		path[i] = step.Status
	}
	b.rule("orders: in one state, by a legal path").check(slices.Contains(legalPaths, strings.Join(path, " ")) && path[len(path)-1] == f.order.Status, "%s went %s and is %s", id, strings.Join(path, " → "), f.order.Status)
	b.count(f)
	b.intent(f)
	b.money(f, slices.Contains(path, "completed"))
	b.reserved(f, slices.Contains(path, "completed"))
	b.delivered(f)
	b.end(f, slices.Contains(path, "completed"))
}

// end keeps what the other services are compared with.
func (b *books) end(f facts, completed bool) {
	e := ended{id: f.plan.id, customer: f.plan.customer, completed: completed, final: f.order.Final, refunded: f.order.Refunded}
	for _, p := range f.payments {
		e.captured += p.Captured
		e.paidBack += p.Refunded
	}
	var walk func(list []traceEvent)
	walk = func(list []traceEvent) {
		for _, t := range list {
			told := t.EventType == "order.created" || t.EventType == "order.validated" || t.EventType == "order.cancelled"
			if told && t.Key == e.id {
				e.announced = append(e.announced, t.EventID)
			}
			walk(t.Children)
		}
	}
	walk(f.trace.Events)
	b.ended = append(b.ended, e)
}

func (b *books) count(f facts) {
	switch f.order.Status {
	case "completed":
		b.outcomes.Completed++
	case "cancelled":
		b.outcomes.Cancelled++
	case "refunded":
		b.outcomes.Refunded++
	}
	if f.order.Reason != "" {
		b.reasons[f.order.Reason]++
	}
}

// intent checks that the outcome fits what was done to the order.
func (b *books) intent(f facts) {
	reason, r := f.order.Reason, b.rule("orders: the outcome fits what was done")
	// a product may be scarce or gone, whatever the shopper meant
	elsewhere := reason == events.ReasonInsufficientStock || reason == events.ReasonProductUnavailable || reason == events.ReasonPaymentDeclined || reason == events.ReasonFulfillmentFailed
	switch f.plan.intent {
	case wrongPrice:
		r.check(reason == events.ReasonPriceMismatch || elsewhere, "%s named a wrong price and is %s (%s)", f.plan.id, f.order.Status, reason)
	case blocked:
		r.check(reason == events.ReasonCustomerBlocked || elsewhere, "%s is of a blocked customer and is %s (%s)", f.plan.id, f.order.Status, reason)
	default:
		moved := reason == events.ReasonPriceMismatch && f.plan.movable
		byCustomer := reason == events.ReasonCustomerRequest && f.plan.cancelled
		r.check(reason == "" || elsewhere || moved || byCustomer, "%s is %s (%s) for no reason that is known", f.plan.id, f.order.Status, reason)
	}
	if f.plan.cancelled {
		r.check(reason == events.ReasonCustomerRequest, "%s: a cancellation was accepted, but it is %s (%s)", f.plan.id, f.order.Status, reason)
	}
}

func (b *books) money(f facts, completed bool) {
	r := b.rule("money: every order's payment fits")
	r.check(len(f.payments) == 1, "%s has %d payments", f.plan.id, len(f.payments))
	if len(f.payments) != 1 {
		return
	}
	p := f.payments[0]
	kept := p.Captured - p.Refunded
	switch {
	case completed:
		b.captured += kept
		b.revenue += f.order.Final - f.order.Refunded
		r.check(p.Captured == f.order.Final && p.Captured == f.order.Total && p.Refunded == f.order.Refunded, "%s: captured %s, refunded %s; the order says final %s, refunded %s",
			f.plan.id, p.Captured, p.Refunded, f.order.Final, f.order.Refunded)
		r.check(p.Refunded == f.plan.refunds, "%s: refunded %s, asked for %s", f.plan.id, p.Refunded, f.plan.refunds)
	default:
		r.check(kept == 0, "%s was cancelled, but %s of it are kept", f.plan.id, kept)
	}
	var total events.Money
	for _, i := range f.order.Items {
		total += i.UnitPrice.Times(i.Quantity)
	}
	r.check(total == f.order.Total, "%s: its lines sum up to %s, its total is %s", f.plan.id, total, f.order.Total)
}

func (b *books) reserved(f facts, completed bool) {
	r := b.rule("stock: reservations fit their orders")
	open, shipped := 0, int64(0)
	for _, one := range f.reservations {
		switch one.Status {
		case "open":
			open++
		case "shipped":
			shipped += one.Quantity
			b.shipped[one.ProductID] += one.Quantity
		}
	}
	ordered := int64(0)
	for _, l := range f.plan.lines {
		ordered += l.quantity
	}
	r.check(open == 0, "%s is settled, but %d reservations are open", f.plan.id, open)
	if completed {
		r.check(shipped == ordered, "%s was completed: %d pieces were ordered, %d shipped", f.plan.id, ordered, shipped)
		sent := len(f.fulfillments) == 1 && f.fulfillments[0].Status == "completed"
		r.check(sent, "%s was completed, but not sent once", f.plan.id)
	} else {
		r.check(shipped == 0, "%s was never completed, but %d pieces are shipped", f.plan.id, shipped)
	}
}

// handling is when a consumer handled which event of a key.
type handling struct {
	sequence int64
	at       time.Time
}

// delivered checks the trace: every event once, every consumer's outcome final, one answer to a cancellation.
func (b *books) delivered(f facts) {
	r := b.rule("events: each applied or ignored once by everyone who hears it")
	r.check(len(f.trace.Awaited) == 0, "%s: %d outcomes are awaited", f.plan.id, len(f.trace.Awaited))
	seen, types, handled := map[string]bool{}, map[string]int{}, map[string][]handling{}
	var walk func(list []traceEvent)
	walk = func(list []traceEvent) {
		for _, e := range list {
			r.check(!seen[e.EventID], "%s: event %s stands twice", f.plan.id, e.EventID)
			seen[e.EventID] = true
			if e.Key == f.plan.id {
				types[e.EventType]++
			}
			services := map[string]bool{}
			for _, d := range e.Deliveries {
				final := d.State == "applied" || d.State == "ignored" || d.State == "discarded"
				r.check(final && !services[d.Service], "%s: %s is %s at %s", f.plan.id, e.EventType, d.State, d.Service)
				services[d.Service] = true
				line := d.Service + " " + e.EventType + " of " + e.Key
				handled[line] = append(handled[line], handling{e.Sequence, d.At})
			}
			walk(e.Children)
		}
	}
	walk(f.trace.Events)
	for line, list := range handled {
		slices.SortFunc(list, func(a, b handling) int { return cmp.Compare(a.sequence, b.sequence) })
		ordered := slices.IsSortedFunc(list, func(a, b handling) int { return a.at.Compare(b.at) })
		b.rule("events: in order per key").check(ordered, "%s: %s were not handled in the order of their sequence", f.plan.id, line)
	}
	once := b.rule("events: one creation, one end, one answer")
	once.check(types["order.created"] == 1, "%s has %d order.created", f.plan.id, types["order.created"])
	for _, eventType := range []string{"order.validated", "order.completed", "order.cancelled", "payment.processed", "payment.failed", "fulfillment.completed"} {
		once.check(types[eventType] <= 1, "%s has %d %s", f.plan.id, types[eventType], eventType)
	}
	if types["order.cancelled"] == 1 {
		answers := types["payment.failed"] + types["payment.refunded"]
		once.check(answers == 1, "%s was cancelled and has %d answers of payments", f.plan.id, answers)
	}
}

// stock checks one product's levels against the run's own ledger.
func (b *books) stock(p *product, locations []locationFacts) {
	r := b.rule("stock: on hand = adjusted - shipped, 0 ≤ reserved ≤ on hand")
	var adjusted, shipped int64
	for _, l := range locations {
		r.check(l.OnHand == l.Adjusted-l.Shipped && l.Reserved >= 0 && l.Reserved <= l.OnHand && l.Available == l.OnHand-l.Reserved,
			"%s at %s: adjusted %d, shipped %d, on hand %d, reserved %d, available %d", p.id, l.LocationID, l.Adjusted, l.Shipped, l.OnHand, l.Reserved, l.Available)
		r.check(l.Reserved == 0, "%s at %s: everything is settled, but %d are reserved", p.id, l.LocationID, l.Reserved)
		adjusted += l.Adjusted
		shipped += l.Shipped
	}
	b.adjusted[p.id] = adjusted
	r.check(shipped == b.shipped[p.id], "%s: %d shipped, its orders took %d", p.id, shipped, b.shipped[p.id])
	if p.deleted {
		r.check(adjusted == shipped, "%s was deleted, but %d were not written off", p.id, adjusted-shipped)
	} else {
		r.check(adjusted == p.adjusted+p.delivered, "%s: adjusted by %d, staff adjusted %d, %d were delivered", p.id, adjusted, p.adjusted, p.delivered)
	}
}
