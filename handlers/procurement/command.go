package procurement

import (
	"context"
	"fmt"

	"github.com/first-viscount/viscount/store"
)

// lock finds a purchase order to change. Alerts of the product and other commands wait until the commit.
func lock(ctx context.Context, tx *store.Tx, id string) (PurchaseOrder, error) {
	p, found, err := find(ctx, tx, id)
	if err != nil {
		return p, err
	}
	if !found {
		return p, store.Refuse(store.NotFound, "", "no purchase order %s", id)
	}
	if err := tx.Lock(ctx, p.ProductID); err != nil {
		return p, err
	}
	p, _, err = find(ctx, tx, id) // as it stands now that nobody else changes it
	return p, err
}

// Approve has a proposal ordered: in the quantity that was proposed, unless another one (above 0) is given.
func (s *Service) Approve(ctx context.Context, tx *store.Tx, id string, quantity int64) (PurchaseOrder, error) {
	p, err := lock(ctx, tx, id)
	if err != nil {
		return p, err
	}
	if p.Status != Proposed {
		return p, store.Refuse(store.IllegalTransition, "", "the purchase order is %s: only a proposal can be approved", p.Status)
	}
	p.Status = Approved
	if quantity > 0 {
		p.Quantity = quantity
	}
	return changed(ctx, tx, p)
}

// Receive takes the goods of an approved purchase order in: all, unless another quantity (above 0) has arrived. Inventory is
// asked by a job; the order is received when inventory has answered.
func (s *Service) Receive(ctx context.Context, tx *store.Tx, id string, quantity int64) (PurchaseOrder, error) {
	p, err := lock(ctx, tx, id)
	if err != nil {
		return p, err
	}
	if p.Status != Approved {
		return p, store.Refuse(store.IllegalTransition, "", "the purchase order is %s: only an approved one can be received", p.Status)
	}
	p.Status, p.Received, p.Note = Receiving, p.Quantity, ""
	if quantity > 0 {
		p.Received = quantity
	}
	p.deliveries++
	key := fmt.Sprintf("%s/%d", id, p.deliveries)
	err = tx.Enqueue(ctx, store.Job{Kind: RestockJob, Name: key, Key: p.ProductID, Payload: Delivery{
		PurchaseOrderID: id, ProductID: p.ProductID, LocationID: p.LocationID, Quantity: p.Received, Key: key, At: tx.Now(), CorrelationID: p.CorrelationID,
	}})
	if err != nil {
		return p, err
	}
	return changed(ctx, tx, p)
}

// Cancel ends a purchase order whose goods have not been received.
func (s *Service) Cancel(ctx context.Context, tx *store.Tx, id, reason string) (PurchaseOrder, error) {
	p, err := lock(ctx, tx, id)
	if err != nil {
		return p, err
	}
	if p.Status != Proposed && p.Status != Approved {
		return p, store.Refuse(store.IllegalTransition, "", "the purchase order is %s: only a proposal or an approved one can be cancelled", p.Status)
	}
	p.Status, p.Note = Cancelled, reason
	return changed(ctx, tx, p)
}

func changed(ctx context.Context, tx *store.Tx, p PurchaseOrder) (PurchaseOrder, error) {
	p.UpdatedAt = tx.Now()
	return p, save(ctx, tx, p)
}

// Get reads one purchase order.
func (s *Service) Get(ctx context.Context, r store.Reader, id string) (PurchaseOrder, error) {
	p, found, err := find(ctx, r, id)
	if err == nil && !found {
		err = store.Refuse(store.NotFound, "", "no purchase order %s", id)
	}
	return p, err
}

// Filter chooses purchase orders. The zero value chooses all.
type Filter struct {
	Status, ProductID, LocationID string
	After                         string // purchase_order_id
	Limit                         int
}

// List reads purchase orders, the oldest first.
func (s *Service) List(ctx context.Context, r store.Reader, f Filter) ([]PurchaseOrder, error) {
	return store.All(ctx, r, scan, "SELECT "+columns+` FROM purchase_orders
		WHERE purchase_order_id > $1 AND ($2 = '' OR state = $2) AND ($3 = '' OR product_id = $3) AND ($4 = '' OR location_id = $4) ORDER BY purchase_order_id LIMIT $5`,
		f.After, f.Status, f.ProductID, f.LocationID, f.Limit)
}
