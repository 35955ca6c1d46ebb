package orders

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Status of an order.
const (
	Pending   = "pending"
	Validated = "validated"
	Completed = "completed"
	Cancelled = "cancelled"
	Refunded  = "refunded"
)

// Order is one order as people see it.
type Order struct {
	OrderID        string       `json:"order_id"`
	CorrelationID  string       `json:"correlation_id"`
	Status         string       `json:"status"`
	Settled        bool         `json:"settled"`
	CustomerID     string       `json:"customer_id"`
	Items          []Item       `json:"items"`
	Total          events.Money `json:"total_amount"`
	Currency       string       `json:"currency"`
	Final          events.Money `json:"final_amount,omitzero"`
	RefundedAmount events.Money `json:"refunded_amount"`
	Reason         string       `json:"cancellation_reason,omitzero"`
	CreatedAt      time.Time    `json:"created_at"`
	History        []Step       `json:"history"`

	Shipping events.Address `json:"-"`
	Billing  events.Address `json:"-"`

	captured, requested      events.Money
	answered                 bool
	paymentID, fulfillmentID string
}

// Item is one line.
type Item struct {
	ProductID  string       `json:"product_id"`
	Quantity   int64        `json:"quantity"`
	UnitPrice  events.Money `json:"unit_price"`
	TotalPrice events.Money `json:"total_price"`

	ownPrice      bool
	reservationID string
}

// Step is one line of an order's history; EventID is what caused it, "" for a request or a timer.
type Step struct {
	Status  string    `json:"status"`
	At      time.Time `json:"at"`
	EventID string    `json:"event_id,omitzero"`
	Reason  string    `json:"reason,omitzero"`
}

// settle works out whether nothing more will happen by itself (domain.md, "The saga").
func (o *Order) settle() {
	switch o.Status {
	case Completed:
		o.Settled = o.requested == 0
	case Cancelled:
		o.Settled = o.answered
	default:
		o.Settled = o.Status == Refunded
	}
}

// sameAs tells whether a repeated request asks for the order that stands.
func (o Order) sameAs(n NewOrder) bool {
	if o.CustomerID != n.CustomerID || o.Currency != n.Currency || len(o.Items) != len(n.Lines) {
		return false
	}
	if o.Shipping != erased && (o.Shipping != n.Shipping || o.Billing != n.Billing) {
		return false
	}
	for i, line := range n.Lines {
		item := o.Items[i]
		if item.ProductID != line.ProductID || item.Quantity != line.Quantity || item.ownPrice != (line.UnitPrice == nil) || line.UnitPrice != nil && *line.UnitPrice != item.UnitPrice {
			return false
		}
	}
	return true
}

func (o Order) created() events.OrderCreated {
	created := events.OrderCreated{
		OrderID: o.OrderID, CustomerID: o.CustomerID, TotalAmount: o.Total, Currency: o.Currency, Status: o.Status, ShippingAddress: o.Shipping, BillingAddress: o.Billing,
	}
	for _, i := range o.Items {
		created.Items = append(created.Items, events.Item{ProductID: i.ProductID, Quantity: i.Quantity, UnitPrice: i.UnitPrice, TotalPrice: i.TotalPrice})
	}
	return created
}

func insert(ctx context.Context, tx *store.Tx, o *Order) error {
	shipping, err := json.Marshal(o.Shipping)
	if err != nil {
		return err
	}
	billing, err := json.Marshal(o.Billing)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO orders (order_id, correlation, customer_id, currency, status, total, shipping, billing, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		o.OrderID, o.CorrelationID, o.CustomerID, o.Currency, o.Status, int64(o.Total), string(shipping), string(billing), store.Micros(o.CreatedAt))
	if err != nil {
		return err
	}
	for line, i := range o.Items {
		_, err := tx.Exec(ctx, "INSERT INTO order_items (order_id, line, product_id, quantity, unit_price, own_price) VALUES ($1, $2, $3, $4, $5, $6)",
			o.OrderID, line, i.ProductID, i.Quantity, int64(i.UnitPrice), store.Bit(i.ownPrice))
		if err != nil {
			return err
		}
	}
	o.History = []Step{{Status: o.Status, At: o.CreatedAt}}
	return remember(ctx, tx, o.OrderID, o.Status, "")
}

const columns = "order_id, correlation, customer_id, currency, status, total, final, captured, refunded, requested, answered, payment_id, fulfillment_id, reason, shipping, billing, created_at"

func scan(s store.Scanner) (o Order, err error) {
	var total, final, captured, refunded, requested, created int64
	var shipping, billing []byte
	err = s.Scan(&o.OrderID, &o.CorrelationID, &o.CustomerID, &o.Currency, &o.Status, &total, &final, &captured, &refunded, &requested, &o.answered,
		&o.paymentID, &o.fulfillmentID, &o.Reason, &shipping, &billing, &created)
	if err != nil {
		return o, err
	}
	o.Total, o.Final, o.captured, o.RefundedAmount, o.requested = events.Money(total), events.Money(final), events.Money(captured), events.Money(refunded), events.Money(requested)
	o.CreatedAt = store.Time(created)
	o.settle()
	if err := json.Unmarshal(shipping, &o.Shipping); err != nil {
		return o, fmt.Errorf("reading the shipping address: %w", err)
	}
	return o, json.Unmarshal(billing, &o.Billing)
}

func find(ctx context.Context, r store.Reader, id string) (Order, bool, error) {
	o, found, err := store.One(ctx, r, scan, "SELECT "+columns+" FROM orders WHERE order_id = $1", id)
	if err != nil || !found {
		return o, false, err
	}
	o.Items, err = itemsOf(ctx, r, id)
	return o, true, err
}

func itemsOf(ctx context.Context, r store.Reader, id string) ([]Item, error) {
	return store.All(ctx, r, func(s store.Scanner) (i Item, err error) {
		var price int64
		err = s.Scan(&i.ProductID, &i.Quantity, &price, &i.ownPrice, &i.reservationID)
		i.UnitPrice = events.Money(price)
		i.TotalPrice = i.UnitPrice.Times(i.Quantity)
		return i, err
	}, "SELECT product_id, quantity, unit_price, own_price, reservation_id FROM order_items WHERE order_id = $1 ORDER BY line", id)
}

func historyOf(ctx context.Context, r store.Reader, id string) ([]Step, error) {
	return store.All(ctx, r, func(s store.Scanner) (step Step, err error) {
		var at int64
		err = s.Scan(&step.Status, &at, &step.EventID, &step.Reason)
		step.At = store.Time(at)
		return step, err
	}, "SELECT status, at, event_id, reason FROM order_history WHERE order_id = $1 ORDER BY id", id)
}

// Get reads an order with its lines and history.
func (s *Service) Get(ctx context.Context, r store.Reader, id string) (Order, error) {
	o, err := mustFind(ctx, r, id)
	if err != nil {
		return o, err
	}
	o.History, err = historyOf(ctx, r, id)
	return o, err
}

// Filter chooses orders of a list; After is the last id of the page before.
type Filter struct {
	Status, CustomerID, After string
	Limit                     int
}

// List reads orders by id, with their lines and histories.
func (s *Service) List(ctx context.Context, r store.Reader, f Filter) ([]Order, error) {
	query, args := "SELECT "+columns+" FROM orders WHERE order_id > $1", []any{f.After, f.Limit}
	if f.Status != "" {
		args = append(args, f.Status)
		query += fmt.Sprintf(" AND status = $%d", len(args))
	}
	if f.CustomerID != "" {
		args = append(args, f.CustomerID)
		query += fmt.Sprintf(" AND customer_id = $%d", len(args))
	}
	all, err := store.All(ctx, r, scan, query+" ORDER BY order_id LIMIT $2", args...)
	for i := range all {
		if err == nil {
			all[i].Items, err = itemsOf(ctx, r, all[i].OrderID)
		}
		if err == nil {
			all[i].History, err = historyOf(ctx, r, all[i].OrderID)
		}
	}
	return all, err
}
