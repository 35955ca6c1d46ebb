package customers

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/first-viscount/viscount/store"
)

// Erasure is how far one service has come with erasing a customer's personal data. Here itself nothing personal is kept: ids
// and amounts only. This is the memory of a saga over all services, so that one that was cut short is seen and repeated.
type Erasure struct {
	Service     string     `json:"service"`
	RequestedAt time.Time  `json:"requested_at"`
	ErasedAt    *time.Time `json:"erased_at,omitzero"` // nil: not yet
}

// RequestErasure notes that services are to erase a customer's personal data, again if they have before.
func (s *Service) RequestErasure(ctx context.Context, tx *store.Tx, customer string, services []string) error {
	for _, service := range services {
		_, err := tx.Exec(ctx, `INSERT INTO erasures (customer_id, service, requested_at) VALUES ($1, $2, $3)
			ON CONFLICT (customer_id, service) DO UPDATE SET requested_at = excluded.requested_at, erased_at = NULL`, customer, service, store.Micros(tx.Now()))
		if err != nil {
			return fmt.Errorf("noting the erasure of %s: %w", customer, err)
		}
	}
	return nil
}

// NoteErased notes that a service has done it.
func (s *Service) NoteErased(ctx context.Context, tx *store.Tx, customer, service string) error {
	_, err := tx.Exec(ctx, "UPDATE erasures SET erased_at = $1 WHERE customer_id = $2 AND service = $3", store.Micros(tx.Now()), customer, service)
	if err != nil {
		return fmt.Errorf("noting that %s erased %s: %w", service, customer, err)
	}
	return nil
}

// Erasures reads how far the erasure of a customer's personal data has come; none if nobody asked for it.
func (s *Service) Erasures(ctx context.Context, r store.Reader, customer string) ([]Erasure, error) {
	return store.All(ctx, r, func(s store.Scanner) (e Erasure, err error) {
		var requested int64
		var erased sql.NullInt64
		err = s.Scan(&e.Service, &requested, &erased)
		e.RequestedAt, e.ErasedAt = store.Time(requested), store.TimeOf(erased)
		return e, err
	}, "SELECT service, requested_at, erased_at FROM erasures WHERE customer_id = $1 ORDER BY service", customer)
}
