package router

import (
	"context"

	"github.com/first-viscount/viscount/store"
)

// Erase removes a customer's personal data from the service's database: its own tables, what it published, and what is parked.
func (s *Service) Erase(ctx context.Context, customerID string) (store.Erasure, error) {
	return s.store.Erase(ctx, customerID, func(ctx context.Context, tx *store.Tx) error {
		if s.consumer.Erase == nil {
			return nil
		}
		return s.consumer.Erase(ctx, tx, customerID)
	})
}
