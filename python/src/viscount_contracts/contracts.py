# Generated from the Go contracts by `make generate`; change those instead.

"""The data of every event."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from .event import Contract, Data, Model
from .values import Currency, Flag, Id, Integer, Money, NotNegative, OneOf, OptionalCurrency, OptionalId, Positive, RequiredText, Text, Time

__all__ = [
    "ProductCreated",
    "Change",
    "ProductUpdated",
    "ProductDeleted",
    "ProductPriceChanged",
    "ProductOutOfStock",
    "InventoryReserved",
    "InventoryReleased",
    "InventoryAdjusted",
    "InventoryLowStockAlert",
    "InventoryUpdated",
    "Item",
    "Address",
    "OrderCreated",
    "ValidationResults",
    "Reservation",
    "OrderValidated",
    "OrderCompleted",
    "OrderCancelled",
    "OrderRefunded",
    "Shortage",
    "InventoryReservationFailed",
    "PaymentProcessed",
    "PaymentFailed",
    "PaymentRefunded",
    "FulfillmentCompleted",
    "FulfillmentFailed",
    "OrderRefundRequested",
]


class ProductCreated(Data):
    """Published when a new product is successfully created in the catalog. After successful product creation and database persistence."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="product.created", version="1.0", topic="product-catalog.product.created.v1", key=("product_id",),
        publisher="product-catalog-service", consumers=("inventory", "orders", "search"),
    )

    product_id: Id
    name: RequiredText
    description: Text | None = None
    category_id: Id
    price: Money
    sku: Text | None = None
    is_active: Flag
    attributes: dict[str, Any] | None = None


class Change(Model):
    field: RequiredText
    old_value: Any
    new_value: Any


class ProductUpdated(Data):
    """Published when product information is modified. After successful product update and database persistence."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="product.updated", version="1.0", topic="product-catalog.product.updated.v1", key=("product_id",),
        publisher="product-catalog-service", consumers=("inventory", "orders", "search"),
    )

    product_id: Id
    name: RequiredText
    description: Text | None = None
    category_id: Id
    price: Money
    sku: Text | None = None
    is_active: Flag
    attributes: dict[str, Any] | None = None
    changes: list[Change]


class ProductDeleted(Data):
    """Published when a product is deleted from the catalog. After successful product deletion from database."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="product.deleted", version="1.0", topic="product-catalog.product.deleted.v1", key=("product_id",),
        publisher="product-catalog-service", consumers=("inventory", "orders", "search"),
    )

    product_id: Id
    name: Text | None = None
    reason: Text | None = None


class ProductPriceChanged(Data):
    """Published when a product's price is modified. After successful price update in database."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="product.price_changed", version="1.0", topic="product-catalog.product.price_changed.v1", key=("product_id",),
        publisher="product-catalog-service", consumers=("orders", "analytics", "notifications"),
    )

    product_id: Id
    old_price: Money
    new_price: Money
    effective_date: Time | None = None


class ProductOutOfStock(Data):
    """Published when a product's inventory reaches zero. Triggered by inventory service communication (Phase 2)."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="product.out_of_stock", version="1.0", topic="product-catalog.product.out_of_stock.v1", key=("product_id",),
        publisher="product-catalog-service", consumers=("orders", "notifications", "analytics"),
    )

    product_id: Id
    last_stock_level: NotNegative
    location_id: OptionalId | None = None


class InventoryReserved(Data):
    """Published when inventory is reserved for an order. After successful inventory reservation in database."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.reserved", version="1.0", topic="inventory-management.inventory.reserved.v1", key=("order_id", "reservation_id"),
        publisher="inventory-management-service", consumers=("orders", "analytics"),
        retention_days=30,
        legacy="InventoryReserved",
    )

    reservation_id: Id
    product_id: Id
    quantity: Positive
    location_id: OptionalId | None = None
    order_id: OptionalId | None = None
    expires_at: Time | None = None


class InventoryReleased(Data):
    """Published when a reserved inventory is released (order cancelled, expired reservation). After successful inventory release in database."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.released", version="1.0", topic="inventory-management.inventory.released.v1", key=("order_id", "reservation_id"),
        publisher="inventory-management-service", consumers=("orders", "analytics"),
        retention_days=30,
        legacy="InventoryReleased",
    )

    reservation_id: Id
    product_id: Id
    quantity: Positive
    location_id: OptionalId | None = None
    reason: RequiredText
    order_id: OptionalId | None = None


class InventoryAdjusted(Data):
    """Published when inventory levels are manually adjusted. After successful inventory adjustment in database."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.adjusted", version="1.0", topic="inventory-management.inventory.adjusted.v1", key=("product_id",),
        publisher="inventory-management-service", consumers=("analytics", "audit"),
        retention_days=400,
        legacy="InventoryAdjusted",
    )

    product_id: Id
    location_id: OptionalId | None = None
    old_quantity: NotNegative
    new_quantity: NotNegative
    adjustment_type: Annotated[RequiredText, OneOf("restock", "damage", "theft", "correction", "return", "manual")]
    reason: Text | None = None
    reference_number: Text | None = None


class InventoryLowStockAlert(Data):
    """Published when inventory falls below defined thresholds. When stock level crosses threshold during any inventory operation."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.low_stock_alert", version="1.0", topic="inventory-management.inventory.low_stock_alert.v1", key=("product_id",),
        publisher="inventory-management-service", consumers=("notifications", "procurement", "analytics"),
        retention_days=30,
        legacy="LowStockAlert",
    )

    product_id: Id
    location_id: OptionalId | None = None
    current_quantity: NotNegative
    threshold: NotNegative
    alert_level: Annotated[RequiredText, OneOf("warning", "critical", "urgent")]


class InventoryUpdated(Data):
    """Published for general inventory updates not covered by specific events. After any significant inventory change (restocking, manual updates)."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.updated", version="1.0", topic="inventory-management.inventory.updated.v1", key=("product_id",),
        publisher="inventory-management-service", consumers=("analytics", "catalog"),
        retention_days=30,
        legacy="InventoryUpdated",
    )

    product_id: Id
    location_id: OptionalId | None = None
    quantity: NotNegative
    reserved_quantity: NotNegative | None = None
    available_quantity: NotNegative | None = None
    update_type: Annotated[RequiredText, OneOf("reservation", "release", "adjustment", "restock", "manual", "shipment")]
    source_event: Text | None = None


class Item(Model):
    product_id: Id
    quantity: Positive
    unit_price: Money
    total_price: Money


class Address(Model):
    street: RequiredText = Field(json_schema_extra={"x-classification": "personal"})
    city: RequiredText = Field(json_schema_extra={"x-classification": "personal"})
    state: Text = Field(json_schema_extra={"x-classification": "personal"})
    zip: RequiredText = Field(json_schema_extra={"x-classification": "personal"})
    country: RequiredText = Field(json_schema_extra={"x-classification": "personal"})


class OrderCreated(Data):
    """Published when a new order is created. After successful order creation and initial validation."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.created", version="1.0", topic="order-management.order.created.v1", key=("order_id",),
        publisher="order-management-service", consumers=("inventory", "payments", "notifications"),
        retention_days=400,
    )

    order_id: Id
    customer_id: Id
    total_amount: Money
    currency: Currency
    status: RequiredText
    items: Annotated[list[Item], Field(min_length=1)]
    shipping_address: Address = Field(json_schema_extra={"x-classification": "personal"})
    billing_address: Address = Field(json_schema_extra={"x-classification": "personal"})


class ValidationResults(Model):
    inventory_check: RequiredText
    pricing_check: RequiredText
    customer_check: RequiredText


class Reservation(Model):
    product_id: Id
    reservation_id: Id
    quantity: Positive


class OrderValidated(Data):
    """Published when an order passes all validation checks. After inventory verification, pricing validation, and customer verification."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.validated", version="1.0", topic="order-management.order.validated.v1", key=("order_id",),
        publisher="order-management-service", consumers=("payments", "fulfillment", "notifications"),
        follows=("order.created",),
        retention_days=400,
    )

    order_id: Id
    validation_results: ValidationResults
    reservations: list[Reservation]


class OrderCompleted(Data):
    """Published when an order is fully completed (paid and fulfilled). After payment confirmation and fulfillment completion."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.completed", version="1.0", topic="order-management.order.completed.v1", key=("order_id",),
        publisher="order-management-service", consumers=("analytics", "customers", "inventory"),
        follows=("order.created",),
        retention_days=400,
    )

    order_id: Id
    completion_time: Time
    payment_id: Id
    fulfillment_id: Id
    final_amount: Money
    customer_id: OptionalId | None = None
    currency: OptionalCurrency | None = None


class OrderCancelled(Data):
    """Published when an order is cancelled. After order cancellation processing and inventory release."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.cancelled", version="1.0", topic="order-management.order.cancelled.v1", key=("order_id",),
        publisher="order-management-service", consumers=("inventory", "payments", "notifications", "fulfillment"),
        follows=("order.created",),
        retention_days=400,
    )

    order_id: Id
    cancellation_reason: Annotated[RequiredText, OneOf("customer_request", "insufficient_stock", "product_unavailable", "price_mismatch", "customer_blocked", "payment_declined", "fulfillment_failed", "reservation_expired")]
    cancelled_by: Annotated[RequiredText, OneOf("customer", "staff", "system")]
    cancelled_at: Time
    refund_required: Flag
    refund_amount: Money


class OrderRefunded(Data):
    """Published when an order refund is processed. After successful refund processing."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.refunded", version="1.0", topic="order-management.order.refunded.v1", key=("order_id",),
        publisher="order-management-service", consumers=("analytics", "customers", "accounting"),
        retention_days=400,
    )

    order_id: Id
    refund_id: Id
    refund_amount: Money
    refund_reason: RequiredText
    refund_method: RequiredText
    processed_at: Time
    customer_id: OptionalId | None = None
    currency: OptionalCurrency | None = None


class Shortage(Model):
    product_id: Id
    requested: Positive
    available: NotNegative
    location_id: OptionalId | None = None


class InventoryReservationFailed(Data):
    """Published when the lines of an order cannot all be reserved. After the reservation was refused; nothing is reserved."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.reservation_failed", version="1.0", topic="inventory-management.inventory.reservation_failed.v1", key=("order_id",),
        publisher="inventory-management-service", consumers=("orders", "analytics"),
        retention_days=30,
    )

    order_id: Id
    reason: Annotated[RequiredText, OneOf("insufficient_stock", "unknown_product", "inactive_product")]
    items: list[Shortage]


class PaymentProcessed(Data):
    """Published when the amount of an order is captured. After the provider captured the payment of a validated order."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="payment.processed", version="1.0", topic="payment.payment.processed.v1", key=("order_id",),
        publisher="payment-service", consumers=("orders", "accounting"),
        retention_days=400,
    )

    payment_id: Id
    order_id: Id
    amount: Money
    currency: Currency
    method: RequiredText
    processed_at: Time


class PaymentFailed(Data):
    """Published when an order will not be paid, or its authorisation was voided. After the provider declined, failed for good, or a cancelled order was voided."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="payment.failed", version="1.0", topic="payment.payment.failed.v1", key=("order_id",),
        publisher="payment-service", consumers=("orders",),
        retention_days=400,
    )

    order_id: Id
    reason: Annotated[RequiredText, OneOf("declined", "provider_error", "voided")]
    amount: Money
    currency: Currency
    failed_at: Time


class PaymentRefunded(Data):
    """Published when captured money went back. After the provider refunded a payment, in part or whole."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="payment.refunded", version="1.0", topic="payment.payment.refunded.v1", key=("order_id",),
        publisher="payment-service", consumers=("orders", "accounting"),
        follows=("payment.processed",),
        retention_days=400,
    )

    payment_id: Id
    refund_id: Id
    order_id: Id
    amount: Money
    currency: Currency
    reason: RequiredText
    method: RequiredText
    refunded_at: Time


class FulfillmentCompleted(Data):
    """Published when the goods of an order are handed to the carrier. After the provider completed the fulfillment of a validated order."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="fulfillment.completed", version="1.0", topic="fulfillment.fulfillment.completed.v1", key=("order_id",),
        publisher="fulfillment-service", consumers=("orders",),
        retention_days=400,
    )

    fulfillment_id: Id
    order_id: Id
    location_id: OptionalId | None = None
    carrier: Text | None = None
    tracking_number: Text | None = None
    completed_at: Time


class FulfillmentFailed(Data):
    """Published when an order cannot be fulfilled. After the provider failed for good."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="fulfillment.failed", version="1.0", topic="fulfillment.fulfillment.failed.v1", key=("order_id",),
        publisher="fulfillment-service", consumers=("orders",),
        retention_days=400,
    )

    order_id: Id
    reason: RequiredText
    failed_at: Time


class OrderRefundRequested(Data):
    """Published when money of a completed order is to go back. After a refund was accepted for a completed order."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.refund_requested", version="1.0", topic="order-management.order.refund_requested.v1", key=("order_id",),
        publisher="order-management-service", consumers=("payments",),
        retention_days=400,
    )

    order_id: Id
    refund_amount: Money
    refund_reason: RequiredText
    requested_by: RequiredText
    requested_at: Time


# Every major version of an event, oldest first.
MAJORS: dict[str, tuple[type[Data], ...]] = {
    "product.created": (ProductCreated,),
    "product.updated": (ProductUpdated,),
    "product.deleted": (ProductDeleted,),
    "product.price_changed": (ProductPriceChanged,),
    "product.out_of_stock": (ProductOutOfStock,),
    "inventory.reserved": (InventoryReserved,),
    "inventory.released": (InventoryReleased,),
    "inventory.adjusted": (InventoryAdjusted,),
    "inventory.low_stock_alert": (InventoryLowStockAlert,),
    "inventory.updated": (InventoryUpdated,),
    "order.created": (OrderCreated,),
    "order.validated": (OrderValidated,),
    "order.completed": (OrderCompleted,),
    "order.cancelled": (OrderCancelled,),
    "order.refunded": (OrderRefunded,),
    "inventory.reservation_failed": (InventoryReservationFailed,),
    "payment.processed": (PaymentProcessed,),
    "payment.failed": (PaymentFailed,),
    "payment.refunded": (PaymentRefunded,),
    "fulfillment.completed": (FulfillmentCompleted,),
    "fulfillment.failed": (FulfillmentFailed,),
    "order.refund_requested": (OrderRefundRequested,),
}

# The newest of each.
CONTRACTS: dict[str, type[Data]] = {name: majors[-1] for name, majors in MAJORS.items()}
