// Package audit is the audit service: an append-only trail of every adjustment of stock, each record chained to the one before
// it by its hash, so that a later change, gap, insertion or new order shows.
package audit

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

// Service holds the rules of the audit trail.
type Service struct{}

// trailLock is what every append locks: there is one chain.
const trailLock = "audit/trail"

// Append chains an adjustment to the end of the trail.
func (s *Service) Append(ctx context.Context, tx *store.Tx, e events.Event[events.InventoryAdjusted]) error {
	if err := tx.Lock(ctx, trailLock); err != nil {
		return err
	}
	head, err := s.Head(ctx, tx)
	if err != nil {
		return err
	}
	r := Record{
		Sequence: head.Sequence + 1, EventID: e.EventID.String(), SourceService: e.SourceService, CorrelationID: e.CorrelationID, CausationID: e.CausationID,
		OccurredAt: store.Time(store.Micros(e.Timestamp)), RecordedAt: tx.Now(),
		ProductID: e.Data.ProductID, LocationID: e.Data.LocationID, OldQuantity: e.Data.OldQuantity, NewQuantity: e.Data.NewQuantity,
		AdjustmentType: e.Data.AdjustmentType, Reason: e.Data.Reason, ReferenceNumber: e.Data.ReferenceNumber, PreviousHash: head.Hash,
	}
	if r.Hash, err = r.Seal(); err != nil {
		return fmt.Errorf("sealing the record of %s: %w", r.EventID, err)
	}
	if err := insert(ctx, tx, r); err != nil {
		return fmt.Errorf("appending the record of %s: %w", r.EventID, err)
	}
	return moveHead(ctx, tx, Head{Sequence: r.Sequence, Hash: r.Hash})
}
