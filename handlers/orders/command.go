package orders

import (
	"context"
	"fmt"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Cancel ends an order that is not completed yet.
func (s *Service) Cancel(ctx context.Context, tx *store.Tx, id, reason, by string) (Order, error) {
	if err := tx.Lock(ctx, id); err != nil {
		return Order{}, err
	}
	o, err := mustFind(ctx, tx, id)
	if err != nil {
		return o, err
	}
	if o.Status != Pending && o.Status != Validated {
		return o, store.Refuse(store.IllegalTransition, "", "the order is %s; only a pending or validated one can be cancelled", o.Status)
	}
	if err := s.cancel(ctx, tx, o, reason, by); err != nil {
		return o, err
	}
	return mustFind(ctx, tx, id)
}

// cancel ends an order; inventory, payments and fulfillment undo their parts when they hear of it.
func (s *Service) cancel(ctx context.Context, tx *store.Tx, o Order, reason, by string) error {
	o.Reason = reason
	if err := s.move(ctx, tx, &o, Cancelled, reason); err != nil {
		return err
	}
	if err := tx.CancelJob(ctx, ExpireJob, o.OrderID); err != nil {
		return err
	}
	return tx.For(o.CorrelationID).Emit(events.OrderCancelled{
		OrderID: o.OrderID, CancellationReason: reason, CancelledBy: by, CancelledAt: tx.Now(), RefundRequired: o.captured > 0, RefundAmount: o.captured,
	})
}

// Expire cancels an order that is still pending when its reservations' time is up.
func (s *Service) Expire(ctx context.Context, tx *store.Tx, e Expiry) error {
	o, found, err := find(ctx, tx, e.OrderID)
	if err != nil || !found || o.Status != Pending {
		return err
	}
	return s.cancel(ctx, tx, o, events.ReasonReservationExpired, events.BySystem)
}

// Refund asks for money of a completed order to go back; amount nil is all that is left.
func (s *Service) Refund(ctx context.Context, tx *store.Tx, id string, amount *events.Money, reason, by string) (Order, error) {
	if err := tx.Lock(ctx, id); err != nil {
		return Order{}, err
	}
	o, err := mustFind(ctx, tx, id)
	if err != nil {
		return o, err
	}
	if o.Status != Completed {
		return o, store.Refuse(store.IllegalTransition, "", "the order is %s; only a completed one can be refunded", o.Status)
	}
	left := o.Final - o.RefundedAmount - o.requested
	if amount == nil {
		amount = &left
	}
	if left <= 0 {
		return o, store.Refuse(store.IllegalTransition, "", "nothing is left to refund")
	}
	if *amount <= 0 || *amount > left {
		return o, store.Refuse(store.InvalidValue, "/amount", "must be more than 0 and at most %s, what is left to refund", left)
	}
	o.requested += *amount
	if _, err := tx.Exec(ctx, "UPDATE orders SET requested = $1 WHERE order_id = $2", int64(o.requested), id); err != nil {
		return o, fmt.Errorf("asking for a refund of %s: %w", id, err)
	}
	o.settle()
	return o, tx.For(o.CorrelationID).Emit(events.OrderRefundRequested{OrderID: id, RefundAmount: *amount, RefundReason: reason, RequestedBy: by, RequestedAt: tx.Now()})
}

// move writes a new status and the history's next line.
func (s *Service) move(ctx context.Context, tx *store.Tx, o *Order, status, reason string) error {
	o.Status = status
	_, err := tx.Exec(ctx, "UPDATE orders SET status = $1, reason = $2, final = $3 WHERE order_id = $4", status, o.Reason, int64(o.Final), o.OrderID)
	if err != nil {
		return fmt.Errorf("moving %s to %s: %w", o.OrderID, status, err)
	}
	return remember(ctx, tx, o.OrderID, status, reason)
}

func remember(ctx context.Context, tx *store.Tx, id, status, reason string) error {
	_, err := tx.Exec(ctx, "INSERT INTO order_history (order_id, status, at, event_id, reason) VALUES ($1, $2, $3, $4, $5)",
		id, status, store.Micros(tx.Now()), tx.Origin().CausationID, reason)
	return err
}

// orderOf finds the order that an event is about; an event about none of ours is ignored.
func orderOf(ctx context.Context, tx *store.Tx, id string) (Order, error) {
	o, found, err := find(ctx, tx, id)
	if err == nil && !found {
		err = store.Ignore("it is about no order of ours")
	}
	return o, err
}

func mustFind(ctx context.Context, r store.Reader, id string) (Order, error) {
	o, found, err := find(ctx, r, id)
	if err == nil && !found {
		err = store.Refuse(store.NotFound, "", "no order %s", id)
	}
	return o, err
}
