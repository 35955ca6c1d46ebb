package app

import (
	"fmt"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
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
	"github.com/first-viscount/viscount/router"
)

// routes is the platform's map: who hears what, and what it does about it.
func routes(s api.Platform) []router.Consumer { return append(sellers(s), watchers(s)...) }

// sellers are the services that sell: they decide, and publish what they decided.
func sellers(s api.Platform) []router.Consumer {
	decided := router.Rebuild{Never: "its tables hold what it decided itself, which recorded events do not give back"}
	return []router.Consumer{
		{Name: "catalog", Source: events.CatalogService, Migrations: catalog.Migrations, Routes: []router.Route{
			router.On(s.Catalog.TrackStock),
		}, Jobs: []router.Job{
			router.Do(catalog.ApplyPriceJob, s.Catalog.ApplyPrice),
		}, Rebuild: decided},
		{Name: "inventory", Source: events.InventoryService, Migrations: inventory.Migrations, Routes: []router.Route{
			router.On(s.Inventory.TrackCreated),
			router.On(s.Inventory.TrackUpdated),
			router.On(s.Inventory.TrackDeleted),
			router.On(s.Inventory.ReserveOrder),
			router.On(s.Inventory.ReleaseOrder),
			router.On(s.Inventory.ShipOrder),
		}, Jobs: []router.Job{
			router.Do(inventory.ExpireJob, s.Inventory.ExpireReservation),
		}, Rebuild: decided},
		{Name: "orders", Source: events.OrdersService, Migrations: orders.Migrations, Routes: []router.Route{
			router.On(s.Orders.TrackCreated),
			router.On(s.Orders.TrackUpdated),
			router.On(s.Orders.TrackDeleted),
			router.On(s.Orders.TrackPrice),
			router.On(s.Orders.TrackOutOfStock),
			router.On(s.Orders.NoteReserved),
			router.On(s.Orders.NoteReleased),
			router.On(s.Orders.NoteReservationFailed),
			router.On(s.Orders.NotePaid),
			router.On(s.Orders.NoteUnpaid),
			router.On(s.Orders.NoteRefunded),
			router.On(s.Orders.NoteFulfilled),
			router.On(s.Orders.NoteUnfulfilled),
		}, Jobs: []router.Job{
			router.Do(orders.ExpireJob, s.Orders.Expire),
		}, Rebuild: decided, Erase: s.Orders.Erase},
		{Name: "payments", Source: events.PaymentsService, Migrations: payments.Migrations, Routes: []router.Route{
			router.On(s.Payments.Authorise),
			router.On(s.Payments.Capture),
			router.On(s.Payments.Cancel),
			router.On(s.Payments.Refund),
		}, Jobs: []router.Job{
			router.Call(payments.AuthoriseJob, s.Payments.AskAuthorise, s.Payments.RecordAuthorise),
			router.Call(payments.CaptureJob, s.Payments.AskCapture, s.Payments.RecordCapture),
			router.Call(payments.RefundJob, s.Payments.AskRefund, s.Payments.RecordRefund),
		}, Rebuild: decided},
		{Name: "fulfillment", Source: events.FulfillmentService, Migrations: fulfillment.Migrations, Routes: []router.Route{
			router.On(s.Fulfillment.Prepare),
			router.On(s.Fulfillment.Cancel),
		}, Jobs: []router.Job{
			router.Call(fulfillment.SendJob, s.Fulfillment.AskSend, s.Fulfillment.RecordSent),
		}, Rebuild: decided},
	}
}

// watchers are the services that only hear. A projection can be filled again from recorded events.
func watchers(s api.Platform) []router.Consumer {
	return []router.Consumer{
		{Name: "notifications", Source: events.NotificationsService, Migrations: notifications.Migrations, Routes: []router.Route{
			router.On(s.Notifications.TellPrice),
			router.On(s.Notifications.TellOutOfStock),
			router.On(s.Notifications.TellLowStock),
			router.On(s.Notifications.TellCreated),
			router.On(s.Notifications.TellValidated),
			router.On(s.Notifications.TellCancelled),
		}, Jobs: []router.Job{
			router.Do(notifications.PlanJob, s.Notifications.Dispatch),
			router.Call(notifications.SendJob, s.Notifications.Send, s.Notifications.RecordSent),
			router.Call(notifications.ForgetJob, s.Notifications.AskForget, s.Notifications.RecordForgotten),
		}, Rebuild: router.Rebuild{Never: "its messages have gone out, and must neither go again nor be forgotten"}, Erase: s.Notifications.Erase},
		{Name: "audit", Source: events.AuditService, Migrations: audit.Migrations, Routes: []router.Route{
			router.On(s.Audit.Append),
		}, Rebuild: router.Rebuild{Never: "its trail is evidence: it is verified (viscount audit verify), never written again"}},
		{Name: "procurement", Source: events.ProcurementService, Migrations: procurement.Migrations, Routes: []router.Route{
			router.On(s.Procurement.Propose),
		}, Jobs: []router.Job{
			router.Call(procurement.RestockJob, s.Procurement.AskRestock, s.Procurement.RecordRestock),
		}, Rebuild: router.Rebuild{Never: "its purchase orders are what people decided"}},
		{Name: "customers", Source: events.CustomersService, Migrations: customers.Migrations, Routes: []router.Route{
			router.On(s.Customers.CountOrder),
			router.On(s.Customers.CountRefund),
		}, Rebuild: router.Rebuild{Tables: customers.Projection}},
		{Name: "accounting", Source: events.AccountingService, Migrations: accounting.Migrations, Routes: []router.Route{
			router.On(s.Accounting.PostPayment),
			router.On(s.Accounting.PostRefund),
			router.On(s.Accounting.ReconcileRefund),
		}, Rebuild: router.Rebuild{Tables: accounting.Projection, Kept: accounting.Kept}},
		{Name: "search", Source: events.SearchService, Migrations: search.Migrations, Routes: []router.Route{
			router.On(s.Search.IndexCreated),
			router.On(s.Search.IndexUpdated),
			router.On(s.Search.Remove),
		}, Rebuild: router.Rebuild{Tables: search.Projection}},
		{Name: "analytics", Source: events.AnalyticsService, Migrations: analytics.Migrations, Routes: []router.Route{
			router.On(s.Analytics.NotePrice),
			router.On(s.Analytics.CountOutOfStock),
			router.On(s.Analytics.CountReserved),
			router.On(s.Analytics.CountReleased),
			router.On(s.Analytics.CountReservationFailed),
			router.On(s.Analytics.CountAdjusted),
			router.On(s.Analytics.NoteAlert),
			router.On(s.Analytics.NoteLevel),
			router.On(s.Analytics.CountCompleted),
			router.On(s.Analytics.CountRefunded),
		}, Rebuild: router.Rebuild{Tables: analytics.Projection}},
	}
}

// services makes the platform's services from the configuration, without their ways out (see outside.go).
func services(c config.Config) api.Platform {
	pay, send, tell := c.Providers.Payments, c.Providers.Fulfillment, c.Notifications
	return api.Platform{
		Catalog:       &catalog.Service{DefaultLocation: c.Domain.DefaultLocation},
		Inventory:     &inventory.Service{HoldFor: c.Domain.ReservationTTL, DefaultLocation: c.Domain.DefaultLocation, DefaultThreshold: int64(c.Domain.DefaultThreshold)},
		Orders:        &orders.Service{ReservationTTL: c.Domain.ReservationTTL, BlockedCustomers: c.Domain.BlockedCustomers},
		Payments:      &payments.Service{Provider: payments.Simulated{Delay: pay.Delay, FailureRate: pay.FailureRate, Seed: pay.Seed}},
		Fulfillment:   &fulfillment.Service{Provider: fulfillment.Simulated{Delay: send.Delay, FailureRate: send.FailureRate, Seed: send.Seed}},
		Notifications: &notifications.Service{Digest: tell.Digest, Staff: notifications.Staff{Emails: tell.Staff.Emails, Webhook: tell.Staff.Webhook}},
		Audit:         &audit.Service{},
		Procurement:   &procurement.Service{DefaultLocation: c.Domain.DefaultLocation, OrderUpTo: int64(c.Domain.OrderUpTo)},
		Customers:     &customers.Service{},
		Accounting:    &accounting.Service{},
		Search:        &search.Service{},
		Analytics:     &analytics.Service{DefaultLocation: c.Domain.DefaultLocation},
	}
}

// distinct refuses two services of one name, which would be one database, one group and one address.
func distinct(consumers []router.Consumer) error {
	named := map[string]bool{}
	for _, c := range consumers {
		if named[c.Name] {
			return fmt.Errorf("two services of this process are named %s: give your router.Consumer another name", c.Name)
		}
		named[c.Name] = true
	}
	return nil
}

// ServiceNames are the platform's services.
func ServiceNames() []string {
	var names []string
	for _, c := range routes(services(config.Config{})) {
		names = append(names, c.Name)
	}
	return names
}
