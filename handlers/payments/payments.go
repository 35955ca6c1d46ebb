// Package payments is the payment service: it authorises, captures and refunds the amounts of orders through a provider, and
// alone decides whether a cancelled order gets money back.
package payments

import (
	"context"
	"embed"
	"fmt"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Migrations are the service's tables.
//
//go:embed migrations/*.sql
var Migrations embed.FS

// Provider moves the money. Calls come at least once: the same key must give the same answer and move money once.
type Provider interface {
	Authorise(ctx context.Context, key string, amount events.Money, currency string) (approved bool, err error)
	Capture(ctx context.Context, key string, amount events.Money, currency string) (approved bool, err error)
	Refund(ctx context.Context, key string, amount events.Money, currency string) error
}

// Service holds the rules of payments.
type Service struct{ Provider Provider }

// States of a payment.
const (
	Authorising = "authorising"
	Authorised  = "authorised"
	Capturing   = "capturing"
	Captured    = "captured"
	Failed      = "failed"
	Voided      = "voided"
)

// Kinds of the jobs that ask the provider.
const (
	AuthoriseJob = "authorise"
	CaptureJob   = "capture"
	RefundJob    = "refund"
)

const (
	method       = "card"
	refundMethod = "original_payment_method"
)

// Ask is what a job asks the provider for. Key is its idempotency key.
type Ask struct {
	OrderID  string       `json:"order_id"`
	Key      string       `json:"key"`
	Amount   events.Money `json:"amount"`
	Currency string       `json:"currency"`
	Reason   string       `json:"reason,omitzero"`
}

// Authorise opens a payment for a new order.
func (s *Service) Authorise(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCreated]) error {
	p := Payment{
		PaymentID: tx.NewID("pay"), OrderID: e.Data.OrderID, Status: Authorising, Currency: e.Data.Currency, amount: e.Data.TotalAmount, correlation: e.CorrelationID,
	}
	if err := insert(ctx, tx, p); err != nil {
		return fmt.Errorf("opening the payment of %s: %w", p.OrderID, err)
	}
	return s.ask(ctx, tx, AuthoriseJob, p, p.PaymentID+"/authorise", p.amount, "")
}

func (s *Service) ask(ctx context.Context, tx *store.Tx, kind string, p Payment, key string, amount events.Money, reason string) error {
	return tx.Enqueue(ctx, store.Job{
		Kind: kind, Name: key, Key: p.OrderID, Payload: Ask{OrderID: p.OrderID, Key: key, Amount: amount, Currency: p.Currency, Reason: reason},
	})
}

// AskAuthorise asks the provider, outside of any transaction.
func (s *Service) AskAuthorise(ctx context.Context, a Ask) (bool, error) {
	return s.Provider.Authorise(ctx, a.Key, a.Amount, a.Currency)
}

// RecordAuthorise books the provider's answer. An order that was validated meanwhile is captured at once; one that was
// cancelled has its answer already.
func (s *Service) RecordAuthorise(ctx context.Context, tx *store.Tx, a Ask, approved bool) error {
	p, found, err := find(ctx, tx, a.OrderID)
	if err != nil || !found || p.Status != Authorising {
		return err
	}
	if !approved {
		return s.fail(ctx, tx, p, Failed, events.ReasonDeclined)
	}
	p.Status = Authorised
	if p.validated {
		return s.capture(ctx, tx, p)
	}
	return save(ctx, tx, p)
}

// fail ends a payment without money and says so.
func (s *Service) fail(ctx context.Context, tx *store.Tx, p Payment, state, reason string) error {
	p.Status = state
	if err := save(ctx, tx, p); err != nil {
		return err
	}
	return tx.For(p.correlation).Emit(events.PaymentFailed{OrderID: p.OrderID, Reason: reason, Amount: p.amount, Currency: p.Currency, FailedAt: tx.Now()})
}

// Capture takes the money of a validated order, as soon as it is authorised.
func (s *Service) Capture(ctx context.Context, tx *store.Tx, e events.Event[events.OrderValidated]) error {
	p, err := paymentOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	p.validated = true
	switch p.Status {
	case Authorising:
		return save(ctx, tx, p)
	case Authorised:
		return s.capture(ctx, tx, p)
	}
	return store.Ignore("the payment is " + p.Status)
}

func (s *Service) capture(ctx context.Context, tx *store.Tx, p Payment) error {
	p.Status = Capturing
	if err := save(ctx, tx, p); err != nil {
		return err
	}
	return s.ask(ctx, tx, CaptureJob, p, p.PaymentID+"/capture", p.amount, "")
}

// AskCapture asks the provider, outside of any transaction.
func (s *Service) AskCapture(ctx context.Context, a Ask) (bool, error) {
	return s.Provider.Capture(ctx, a.Key, a.Amount, a.Currency)
}

// RecordCapture books the provider's answer. Money of an order that was cancelled meanwhile goes back.
func (s *Service) RecordCapture(ctx context.Context, tx *store.Tx, a Ask, approved bool) error {
	p, found, err := find(ctx, tx, a.OrderID)
	if err != nil || !found || p.Status != Capturing {
		return err
	}
	if !approved {
		return s.fail(ctx, tx, p, Failed, events.ReasonProviderError)
	}
	p.Status, p.Captured = Captured, a.Amount
	if err := save(ctx, tx, p); err != nil {
		return err
	}
	err = tx.For(p.correlation).Emit(events.PaymentProcessed{
		PaymentID: p.PaymentID, OrderID: p.OrderID, Amount: p.Captured, Currency: p.Currency, Method: method, ProcessedAt: tx.Now(),
	})
	if err != nil || !p.cancelled {
		return err
	}
	return s.refundAll(ctx, tx, p)
}

// Cancel answers a cancelled order exactly once: with its money, or with payment.failed. A capture that is on its way
// answers when it comes back.
func (s *Service) Cancel(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCancelled]) error {
	p, err := paymentOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if p.cancelled {
		return store.Ignore("the cancellation is answered already")
	}
	p.cancelled = true
	switch p.Status {
	case Authorising, Authorised:
		if err := tx.CancelJob(ctx, AuthoriseJob, p.PaymentID+"/authorise"); err != nil {
			return err
		}
		return s.fail(ctx, tx, p, Voided, events.ReasonVoided)
	case Capturing:
		return save(ctx, tx, p)
	case Captured:
		if err := save(ctx, tx, p); err != nil {
			return err
		}
		return s.refundAll(ctx, tx, p)
	}
	return store.Ignore("the payment had failed: that is the answer")
}

func (s *Service) refundAll(ctx context.Context, tx *store.Tx, p Payment) error {
	return s.ask(ctx, tx, RefundJob, p, p.PaymentID+"/refund/cancelled", p.Captured-p.Refunded, "order_cancelled")
}

// Refund sends back what a completed order asks for.
func (s *Service) Refund(ctx context.Context, tx *store.Tx, e events.Event[events.OrderRefundRequested]) error {
	p, err := paymentOf(ctx, tx, e.Data.OrderID)
	if err != nil {
		return err
	}
	if p.Status != Captured {
		return store.Ignore("the payment is " + p.Status)
	}
	return s.ask(ctx, tx, RefundJob, p, p.PaymentID+"/refund/"+e.EventID.String(), e.Data.RefundAmount, e.Data.RefundReason)
}

// AskRefund asks the provider, outside of any transaction.
func (s *Service) AskRefund(ctx context.Context, a Ask) (struct{}, error) {
	return struct{}{}, s.Provider.Refund(ctx, a.Key, a.Amount, a.Currency)
}

// RecordRefund books money that went back; never more than was captured.
func (s *Service) RecordRefund(ctx context.Context, tx *store.Tx, a Ask, _ struct{}) error {
	p, found, err := find(ctx, tx, a.OrderID)
	if err != nil || !found {
		return err
	}
	amount := min(a.Amount, p.Captured-p.Refunded)
	if amount <= 0 {
		return nil
	}
	p.Refunded += amount
	if err := save(ctx, tx, p); err != nil {
		return err
	}
	return tx.For(p.correlation).Emit(events.PaymentRefunded{
		PaymentID: p.PaymentID, RefundID: tx.NewID("ref"), OrderID: p.OrderID, Amount: amount, Currency: p.Currency, Reason: a.Reason, Method: refundMethod, RefundedAt: tx.Now(),
	})
}
