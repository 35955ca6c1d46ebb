package orders

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// erased is the address of an order whose customer's data was erased.
var erased = events.Address{Street: events.Erased, City: events.Erased, State: events.Erased, Zip: events.Erased, Country: events.Erased}

// Erase removes a customer's addresses. What was ordered and paid stays, by the customer's id.
func (s *Service) Erase(ctx context.Context, tx *store.Tx, customer string) error {
	nowhere, err := json.Marshal(erased)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "UPDATE orders SET shipping = $1, billing = $1 WHERE customer_id = $2", string(nowhere), customer); err != nil {
		return fmt.Errorf("erasing the addresses of %s: %w", customer, err)
	}
	return nil
}
