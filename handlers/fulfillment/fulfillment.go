// Package fulfillment is the fulfillment service: it has the goods of validated orders packed and sent by a carrier.
package fulfillment

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"time"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Migrations are the service's tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Provider packs and sends. Calls come at least once: the same key must give the same answer and send goods once.
type Provider interface {
	Send(ctx context.Context, key string) (Shipment, error)
}

// Shipment is the provider's answer; Sent is false when the goods cannot be sent for good.
type Shipment struct {
	Sent              bool
	Carrier, Tracking string
	Reason            string // why not
}

// Service holds the rules of fulfillment.
type Service struct{ Provider Provider }

// States of a fulfillment.
const (
	Preparing = "preparing"
	Completed = "completed"
	Failed    = "failed"
	Cancelled = "cancelled"
	Recalled  = "recalled"
)

// SendJob is the kind of the job that asks the provider.
const SendJob = "send"

// Ask is what the job asks the provider for. Key is its idempotency key.
type Ask struct {
	OrderID string `json:"order_id"`
	Key     string `json:"key"`
}

// Fulfillment is one order's fulfillment as people see it.
type Fulfillment struct {
	FulfillmentID string     `json:"fulfillment_id,omitzero"`
	OrderID       string     `json:"order_id"`
	Status        string     `json:"status"`
	Carrier       string     `json:"carrier,omitzero"`
	Tracking      string     `json:"tracking_number,omitzero"`
	CompletedAt   *time.Time `json:"completed_at,omitzero"`
	correlation   string
}

// Prepare has a validated order packed and sent, unless it was cancelled before.
func (s *Service) Prepare(ctx context.Context, tx *store.Tx, e events.Event[events.OrderValidated]) error {
	known, found, err := find(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if found {
		return store.Ignore("the order is " + known.Status + " already")
	}
	f := Fulfillment{FulfillmentID: tx.NewID("ful"), OrderID: e.Data.OrderID, Status: Preparing, correlation: e.CorrelationID}
	if err := save(ctx, tx, f); err != nil {
		return err
	}
	return tx.Enqueue(ctx, store.Job{Kind: SendJob, Name: f.FulfillmentID, Key: f.OrderID, Payload: Ask{OrderID: f.OrderID, Key: f.FulfillmentID}})
}

// AskSend asks the provider, outside of any transaction.
func (s *Service) AskSend(ctx context.Context, a Ask) (Shipment, error) {
	return s.Provider.Send(ctx, a.Key)
}

// RecordSent books the provider's answer. What was cancelled meanwhile is recalled without a word.
func (s *Service) RecordSent(ctx context.Context, tx *store.Tx, a Ask, answer Shipment) error {
	f, found, err := find(ctx, tx, a.OrderID)
	if err != nil || !found || f.Status != Preparing {
		return err
	}
	emit := tx.For(f.correlation)
	if !answer.Sent {
		f.Status = Failed
		if err := save(ctx, tx, f); err != nil {
			return err
		}
		return emit.Emit(events.FulfillmentFailed{OrderID: f.OrderID, Reason: answer.Reason, FailedAt: tx.Now()})
	}
	at := tx.Now()
	f.Status, f.Carrier, f.Tracking, f.CompletedAt = Completed, answer.Carrier, answer.Tracking, &at
	if err := save(ctx, tx, f); err != nil {
		return err
	}
	return emit.Emit(events.FulfillmentCompleted{FulfillmentID: f.FulfillmentID, OrderID: f.OrderID, Carrier: f.Carrier, TrackingNumber: f.Tracking, CompletedAt: at})
}

// Cancel stops what is being prepared and recalls what was sent. A cancellation that comes first leaves a tombstone.
func (s *Service) Cancel(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCancelled]) error {
	f, found, err := find(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	switch {
	case !found:
		f = Fulfillment{OrderID: e.Data.OrderID, Status: Cancelled, correlation: e.CorrelationID}
	case f.Status == Preparing:
		f.Status = Cancelled
		if err := tx.CancelJob(ctx, SendJob, f.FulfillmentID); err != nil {
			return err
		}
	case f.Status == Completed:
		f.Status = Recalled
	default:
		return store.Ignore("the fulfillment is " + f.Status)
	}
	return save(ctx, tx, f)
}

const columns = "order_id, fulfillment_id, correlation, state, carrier, tracking, completed_at"

func scan(s store.Scanner) (f Fulfillment, err error) {
	var completed sql.NullInt64
	err = s.Scan(&f.OrderID, &f.FulfillmentID, &f.correlation, &f.Status, &f.Carrier, &f.Tracking, &completed)
	f.CompletedAt = store.TimeOf(completed)
	return f, err
}

func find(ctx context.Context, r store.Reader, order string) (Fulfillment, bool, error) {
	return store.One(ctx, r, scan, "SELECT "+columns+" FROM fulfillments WHERE order_id = $1", order)
}

func save(ctx context.Context, tx *store.Tx, f Fulfillment) error {
	_, err := tx.Exec(ctx, `INSERT INTO fulfillments (order_id, fulfillment_id, correlation, state, carrier, tracking, completed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (order_id) DO UPDATE SET state = excluded.state, carrier = excluded.carrier, tracking = excluded.tracking, completed_at = excluded.completed_at`,
		f.OrderID, f.FulfillmentID, f.correlation, f.Status, f.Carrier, f.Tracking, store.MicrosOf(f.CompletedAt))
	if err != nil {
		return fmt.Errorf("saving the fulfillment of %s: %w", f.OrderID, err)
	}
	return nil
}

// List reads fulfillments (of one order, unless order is "") after an order id.
func (s *Service) List(ctx context.Context, r store.Reader, order, after string, limit int) ([]Fulfillment, error) {
	if order != "" {
		return store.All(ctx, r, scan, "SELECT "+columns+" FROM fulfillments WHERE order_id = $1 AND order_id > $2 LIMIT $3", order, after, limit)
	}
	return store.All(ctx, r, scan, "SELECT "+columns+" FROM fulfillments WHERE order_id > $1 ORDER BY order_id LIMIT $2", after, limit)
}
