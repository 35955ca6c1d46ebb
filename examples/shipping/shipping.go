// Package shipping is a service of another team, in a module of its own: it hears an event of the platform, keeps a table and
// publishes an event of its own.
package shipping

import (
	"context"
	"embed"
	"fmt"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Consumer is the service as app.Main runs it and as its test runs it.
func Consumer() router.Consumer {
	return router.Consumer{
		Name: "shipping", Migrations: migrations,
		Contracts: []events.Definition{events.Define[ParcelSent]()},
		Routes:    []router.Route{router.On(dispatch)},
	}
}

// dispatch books the parcel of an order whose goods a carrier has taken. Table and event commit together, or not at all.
func dispatch(ctx context.Context, tx *store.Tx, e events.Event[events.FulfillmentCompleted]) error {
	if e.Data.Carrier == "" {
		return store.Ignore("collected by the customer")
	}
	parcel := tx.NewID("parcel")
	_, err := tx.Exec(ctx, "INSERT INTO parcels (parcel_id, order_id, sent_at) VALUES ($1, $2, $3)", parcel, e.Data.OrderID, store.Micros(e.Data.CompletedAt))
	if err != nil {
		return fmt.Errorf("booking the parcel of %s: %w", e.Data.OrderID, err)
	}
	return tx.Emit(ParcelSent{ParcelID: parcel, OrderID: e.Data.OrderID, Carrier: e.Data.Carrier, SentAt: e.Data.CompletedAt})
}
