package api

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/handlers/accounting"
	"github.com/first-viscount/viscount/handlers/analytics"
	"github.com/first-viscount/viscount/handlers/audit"
	"github.com/first-viscount/viscount/handlers/catalog"
	"github.com/first-viscount/viscount/handlers/customers"
	"github.com/first-viscount/viscount/handlers/fulfillment"
	"github.com/first-viscount/viscount/handlers/inventory"
	"github.com/first-viscount/viscount/handlers/notifications"
	"github.com/first-viscount/viscount/handlers/orders"
	"github.com/first-viscount/viscount/handlers/payments"
	"github.com/first-viscount/viscount/handlers/procurement"
	"github.com/first-viscount/viscount/handlers/search"
)

// everyService is a platform of all services, without their databases.
func everyService() Platform {
	return Platform{
		Catalog:       &catalog.Service{},
		Inventory:     &inventory.Service{},
		Orders:        &orders.Service{},
		Payments:      &payments.Service{},
		Fulfillment:   &fulfillment.Service{},
		Notifications: &notifications.Service{},
		Audit:         &audit.Service{},
		Procurement:   &procurement.Service{},
		Customers:     &customers.Service{},
		Accounting:    &accounting.Service{},
		Search:        &search.Service{},
		Analytics:     &analytics.Service{},
	}
}

// TestEveryEndpointSaysWhatItIs guards the table that roles and documents are made from.
func TestEveryEndpointSaysWhatItIs(t *testing.T) {
	s := &Server{Options: Options{Platform: everyService()}}
	seen := map[string]bool{}
	for _, e := range s.endpoints() {
		name := e.method + " " + e.path
		require.False(t, seen[name], "%s stands twice", name)
		seen[name] = true
		require.NotEmpty(t, e.summary, name)
		require.NotEqual(t, Anyone, e.role, "%s: only probes are open", name)
		require.NotZero(t, e.status, name)
		require.NotNil(t, e.handle, name)
		require.True(t, e.answer != nil || e.status == 204, "%s answers %d with a body that the table does not know", name, e.status)
		for _, p := range e.query {
			require.NotEmpty(t, p.doc, "%s: %s", name, p.name)
			require.NotNil(t, p.sample, "%s: %s", name, p.name)
		}
	}
}
