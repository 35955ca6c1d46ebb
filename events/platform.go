package events

// Platform is the catalogue of First Viscount: the document's fifteen contracts and our additions.
func Platform() *Catalogue {
	c, err := NewCatalogue(
		Define[ProductCreated](), Define[ProductUpdated](), Define[ProductDeleted](), Define[ProductPriceChanged](), Define[ProductOutOfStock](),
		Define[InventoryReserved](), Define[InventoryReleased](), Define[InventoryAdjusted](), Define[InventoryLowStockAlert](), Define[InventoryUpdated](),
		Define[OrderCreated](), Define[OrderValidated](), Define[OrderCompleted](), Define[OrderCancelled](), Define[OrderRefunded](),
		Define[InventoryReservationFailed](), Define[PaymentProcessed](), Define[PaymentFailed](), Define[PaymentRefunded](),
		Define[FulfillmentCompleted](), Define[FulfillmentFailed](), Define[OrderRefundRequested](),
	)
	if err != nil {
		panic("events: the platform's own contracts are inconsistent: " + err.Error()) // a programming error, caught by every test
	}
	return c
}

// source_service of the services that publish.
const (
	CatalogService     = "product-catalog-service"
	InventoryService   = "inventory-management-service"
	OrdersService      = "order-management-service"
	PaymentsService    = "payment-service"
	FulfillmentService = "fulfillment-service"
)

// source_service of services that only listen.
const (
	NotificationsService = "notification-service"
	AuditService         = "audit-service"
	ProcurementService   = "procurement-service"
	CustomersService     = "customer-service"
	AccountingService    = "accounting-service"
	SearchService        = "search-service"
	AnalyticsService     = "analytics-service"
)
