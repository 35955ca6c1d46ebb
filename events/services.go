package events

// The source_service of each publisher.
const (
	CatalogService     = "product-catalog-service"
	InventoryService   = "inventory-management-service"
	OrderService       = "order-management-service"
	PaymentService     = "payment-service"
	FulfillmentService = "fulfillment-service"
)

// The event types of the platform.
const (
	TypeProductCreated             = "product.created"
	TypeProductUpdated             = "product.updated"
	TypeProductDeleted             = "product.deleted"
	TypeProductPriceChanged        = "product.price_changed"
	TypeProductOutOfStock          = "product.out_of_stock"
	TypeInventoryReserved          = "inventory.reserved"
	TypeInventoryReleased          = "inventory.released"
	TypeInventoryAdjusted          = "inventory.adjusted"
	TypeInventoryLowStockAlert     = "inventory.low_stock_alert"
	TypeInventoryUpdated           = "inventory.updated"
	TypeInventoryReservationFailed = "inventory.reservation_failed"
	TypeOrderCreated               = "order.created"
	TypeOrderValidated             = "order.validated"
	TypeOrderCompleted             = "order.completed"
	TypeOrderCancelled             = "order.cancelled"
	TypeOrderRefunded              = "order.refunded"
	TypeOrderRefundRequested       = "order.refund_requested"
	TypePaymentProcessed           = "payment.processed"
	TypePaymentFailed              = "payment.failed"
	TypePaymentRefunded            = "payment.refunded"
	TypeFulfillmentCompleted       = "fulfillment.completed"
	TypeFulfillmentFailed          = "fulfillment.failed"
)

// How long the platform's events are kept.
const (
	stockRetention  = 30 * Day  // stock moves fast and is recounted from its own tables
	ledgerRetention = 400 * Day // orders, money and adjustments: a year and the time to close its books
)
