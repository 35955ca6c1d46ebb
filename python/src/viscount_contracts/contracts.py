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

    product_id: Id = Field(description="Id of the product.")
    name: RequiredText = Field(description="What shoppers read as its name.")
    description: Text | None = Field(default=None, description="What shoppers read about it.")
    category_id: Id = Field(description="Id of the category that it is listed in.")
    price: Money = Field(description="Price of one unit in the shop's currency, as a decimal string.")
    sku: Text | None = Field(default=None, description="The stock keeping unit, the seller's own number of the product.")
    is_active: Flag = Field(description="Whether it is for sale.")
    attributes: dict[str, Any] | None = Field(default=None, description="Further properties by name, such as weight or origin; the publisher's own.")


class Change(Model):
    field: RequiredText = Field(description="The field, dotted below an object, such as attributes.organic.")
    old_value: Any = Field(description="Its value before, null for none.")
    new_value: Any = Field(description="Its value after, null for none.")


class ProductUpdated(Data):
    """Published when product information is modified. After successful product update and database persistence."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="product.updated", version="1.0", topic="product-catalog.product.updated.v1", key=("product_id",),
        publisher="product-catalog-service", consumers=("inventory", "orders", "search"),
    )

    product_id: Id = Field(description="Id of the product.")
    name: RequiredText = Field(description="What shoppers read as its name.")
    description: Text | None = Field(default=None, description="What shoppers read about it.")
    category_id: Id = Field(description="Id of the category that it is listed in.")
    price: Money = Field(description="Price of one unit after the change, as a decimal string.")
    sku: Text | None = Field(default=None, description="The stock keeping unit, the seller's own number of the product.")
    is_active: Flag = Field(description="Whether it is for sale.")
    attributes: dict[str, Any] | None = Field(default=None, description="Further properties by name, such as weight or origin; the publisher's own.")
    changes: list[Change] = Field(description="What changed, field by field; the other fields hold the state after it.")


class ProductDeleted(Data):
    """Published when a product is deleted from the catalog. After successful product deletion from database."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="product.deleted", version="1.0", topic="product-catalog.product.deleted.v1", key=("product_id",),
        publisher="product-catalog-service", consumers=("inventory", "orders", "search"),
    )

    product_id: Id = Field(description="Id of the product.")
    name: Text | None = Field(default=None, description="Its name when it was deleted.")
    reason: Text | None = Field(default=None, description="Why it was deleted, such as discontinued.")


class ProductPriceChanged(Data):
    """Published when a product's price is modified. After successful price update in database."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="product.price_changed", version="1.0", topic="product-catalog.product.price_changed.v1", key=("product_id",),
        publisher="product-catalog-service", consumers=("orders", "analytics", "notifications"),
    )

    product_id: Id = Field(description="Id of the product.")
    old_price: Money = Field(description="Price of one unit before, as a decimal string.")
    new_price: Money = Field(description="Price of one unit from then on, as a decimal string.")
    effective_date: Time | None = Field(default=None, description="When the new price begins to hold; at once if absent.")


class ProductOutOfStock(Data):
    """Published when a product's inventory reaches zero. Triggered by inventory service communication (Phase 2)."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="product.out_of_stock", version="1.0", topic="product-catalog.product.out_of_stock.v1", key=("product_id",),
        publisher="product-catalog-service", consumers=("orders", "notifications", "analytics"),
    )

    product_id: Id = Field(description="Id of the product.")
    last_stock_level: NotNegative = Field(description="Units in stock that were left, usually 0.")
    location_id: OptionalId | None = Field(default=None, description="Id of the warehouse that ran out; the platform's default location if absent.")


class InventoryReserved(Data):
    """Published when inventory is reserved for an order. After successful inventory reservation in database."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.reserved", version="1.0", topic="inventory-management.inventory.reserved.v1", key=("order_id", "reservation_id"),
        publisher="inventory-management-service", consumers=("orders", "analytics"),
        retention_days=30,
        legacy="InventoryReserved",
    )

    reservation_id: Id = Field(description="Id of the reservation.")
    product_id: Id = Field(description="Id of the product.")
    quantity: Positive = Field(description="Units that are set aside.")
    location_id: OptionalId | None = Field(default=None, description="Id of the warehouse; the platform's default location if absent.")
    order_id: OptionalId | None = Field(default=None, description="Id of the order that they are set aside for; absent for a reservation of no order.")
    expires_at: Time | None = Field(default=None, description="When the units are free again unless the order ships; never if absent.")


class InventoryReleased(Data):
    """Published when a reserved inventory is released (order cancelled, expired reservation). After successful inventory release in database."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.released", version="1.0", topic="inventory-management.inventory.released.v1", key=("order_id", "reservation_id"),
        publisher="inventory-management-service", consumers=("orders", "analytics"),
        retention_days=30,
        legacy="InventoryReleased",
    )

    reservation_id: Id = Field(description="Id of the reservation.")
    product_id: Id = Field(description="Id of the product.")
    quantity: Positive = Field(description="Units that are free again.")
    location_id: OptionalId | None = Field(default=None, description="Id of the warehouse; the platform's default location if absent.")
    reason: RequiredText = Field(description="Why they are free again, such as order_cancelled or expired.")
    order_id: OptionalId | None = Field(default=None, description="Id of the order that they were set aside for; absent for a reservation of no order.")


class InventoryAdjusted(Data):
    """Published when inventory levels are manually adjusted. After successful inventory adjustment in database."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.adjusted", version="1.0", topic="inventory-management.inventory.adjusted.v1", key=("product_id",),
        publisher="inventory-management-service", consumers=("analytics", "audit"),
        retention_days=400,
        legacy="InventoryAdjusted",
    )

    product_id: Id = Field(description="Id of the product.")
    location_id: OptionalId | None = Field(default=None, description="Id of the warehouse; the platform's default location if absent.")
    old_quantity: NotNegative = Field(description="Units on hand before.")
    new_quantity: NotNegative = Field(description="Units on hand after.")
    adjustment_type: Annotated[RequiredText, OneOf("restock", "damage", "theft", "correction", "return", "manual")] = Field(description="What kind of correction it is.")
    reason: Text | None = Field(default=None, description="Why, in words.")
    reference_number: Text | None = Field(default=None, description="Number of the paper or ticket behind it, such as ADJ-2024-001.")


class InventoryLowStockAlert(Data):
    """Published when inventory falls below defined thresholds. When stock level crosses threshold during any inventory operation."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.low_stock_alert", version="1.0", topic="inventory-management.inventory.low_stock_alert.v1", key=("product_id",),
        publisher="inventory-management-service", consumers=("notifications", "procurement", "analytics"),
        retention_days=30,
        legacy="LowStockAlert",
    )

    product_id: Id = Field(description="Id of the product.")
    location_id: OptionalId | None = Field(default=None, description="Id of the warehouse; the platform's default location if absent.")
    current_quantity: NotNegative = Field(description="Units that are left to sell.")
    threshold: NotNegative = Field(description="The threshold that was crossed, in units.")
    alert_level: Annotated[RequiredText, OneOf("warning", "critical", "urgent")] = Field(description="How urgent it is.")


class InventoryUpdated(Data):
    """Published for general inventory updates not covered by specific events. After any significant inventory change (restocking, manual updates)."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.updated", version="1.0", topic="inventory-management.inventory.updated.v1", key=("product_id",),
        publisher="inventory-management-service", consumers=("analytics", "catalog"),
        retention_days=30,
        legacy="InventoryUpdated",
    )

    product_id: Id = Field(description="Id of the product.")
    location_id: OptionalId | None = Field(default=None, description="Id of the warehouse; the platform's default location if absent.")
    quantity: NotNegative = Field(description="Units on hand, reserved ones among them.")
    reserved_quantity: NotNegative | None = Field(default=None, description="Units of them that are set aside for orders.")
    available_quantity: NotNegative | None = Field(default=None, description="Units that are left to sell: quantity - reserved_quantity.")
    update_type: Annotated[RequiredText, OneOf("reservation", "release", "adjustment", "restock", "manual", "shipment")] = Field(description="What kind of change led to it.")
    source_event: Text | None = Field(default=None, description="What caused it: an event's type or a process, such as purchase_order_received.")


class Item(Model):
    product_id: Id = Field(description="Id of the product that is ordered.")
    quantity: Positive = Field(description="Units of it.")
    unit_price: Money = Field(description="Price of one unit, in the order's currency, as a decimal string.")
    total_price: Money = Field(description="Price of the line, in the order's currency, as a decimal string.")


class Address(Model):
    street: RequiredText = Field(description="Street and number.", json_schema_extra={"x-classification": "personal"})
    city: RequiredText = Field(description="City or town.", json_schema_extra={"x-classification": "personal"})
    state: Text = Field(description="State or region; empty where there is none.", json_schema_extra={"x-classification": "personal"})
    zip: RequiredText = Field(description="Postal code.", json_schema_extra={"x-classification": "personal"})
    country: RequiredText = Field(description="Country, such as US.", json_schema_extra={"x-classification": "personal"})


class OrderCreated(Data):
    """Published when a new order is created. After successful order creation and initial validation."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.created", version="1.0", topic="order-management.order.created.v1", key=("order_id",),
        publisher="order-management-service", consumers=("inventory", "payments", "notifications"),
        retention_days=400,
    )

    order_id: Id = Field(description="Id of the order.")
    customer_id: Id = Field(description="Id of the customer who ordered.", json_schema_extra={"x-classification": "subject"})
    total_amount: Money = Field(description="What the customer is to pay in all, in currency, as a decimal string; it may hold more than the lines' totals, such as shipping.")
    currency: Currency = Field(description="Currency of the amounts, ISO 4217.")
    status: RequiredText = Field(description="The order's state, pending when it is new.")
    items: Annotated[list[Item], Field(min_length=1)] = Field(description="Its lines, at least one.")
    shipping_address: Address = Field(description="Where the goods go.", json_schema_extra={"x-classification": "personal"})
    billing_address: Address = Field(description="Where the bill goes.", json_schema_extra={"x-classification": "personal"})


class ValidationResults(Model):
    inventory_check: RequiredText = Field(description="passed where all lines are reserved.")
    pricing_check: RequiredText = Field(description="passed where the prices are those of the catalogue.")
    customer_check: RequiredText = Field(description="passed where the customer may order.")


class Reservation(Model):
    product_id: Id = Field(description="Id of the product.")
    reservation_id: Id = Field(description="Id of the reservation.")
    quantity: Positive = Field(description="Units that are set aside.")


class OrderValidated(Data):
    """Published when an order passes all validation checks. After inventory verification, pricing validation, and customer verification."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.validated", version="1.0", topic="order-management.order.validated.v1", key=("order_id",),
        publisher="order-management-service", consumers=("payments", "fulfillment", "notifications"),
        follows=("order.created",),
        retention_days=400,
    )

    order_id: Id = Field(description="Id of the order.")
    validation_results: ValidationResults = Field(description="What each check found.")
    reservations: list[Reservation] = Field(description="What is set aside for its lines.")


class OrderCompleted(Data):
    """Published when an order is fully completed (paid and fulfilled). After payment confirmation and fulfillment completion."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.completed", version="1.0", topic="order-management.order.completed.v1", key=("order_id",),
        publisher="order-management-service", consumers=("analytics", "customers", "inventory"),
        follows=("order.created",),
        retention_days=400,
    )

    order_id: Id = Field(description="Id of the order.")
    completion_time: Time = Field(description="When it was both paid and fulfilled.")
    payment_id: Id = Field(description="Id of the payment of the order.")
    fulfillment_id: Id = Field(description="Id of the fulfilment of the order.")
    final_amount: Money = Field(description="What the customer paid in all, in currency, as a decimal string.")
    customer_id: OptionalId | None = Field(default=None, description="Id of the customer who ordered.")
    currency: OptionalCurrency | None = Field(default=None, description="Currency of the amounts, ISO 4217.")


class OrderCancelled(Data):
    """Published when an order is cancelled. After order cancellation processing and inventory release."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.cancelled", version="1.0", topic="order-management.order.cancelled.v1", key=("order_id",),
        publisher="order-management-service", consumers=("inventory", "payments", "notifications", "fulfillment"),
        follows=("order.created",),
        retention_days=400,
    )

    order_id: Id = Field(description="Id of the order.")
    cancellation_reason: Annotated[RequiredText, OneOf("customer_request", "insufficient_stock", "product_unavailable", "price_mismatch", "customer_blocked", "payment_declined", "fulfillment_failed", "reservation_expired")] = Field(description="Why it was cancelled.")
    cancelled_by: Annotated[RequiredText, OneOf("customer", "staff", "system")] = Field(description="Who cancelled it.")
    cancelled_at: Time = Field(description="When it was cancelled.")
    refund_required: Flag = Field(description="Whether money has to go back.")
    refund_amount: Money = Field(description="What has to go back, in the order's currency, as a decimal string; 0.00 for nothing.")


class OrderRefunded(Data):
    """Published when an order refund is processed. After successful refund processing."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.refunded", version="1.0", topic="order-management.order.refunded.v1", key=("order_id",),
        publisher="order-management-service", consumers=("analytics", "customers", "accounting"),
        retention_days=400,
    )

    order_id: Id = Field(description="Id of the order.")
    refund_id: Id = Field(description="Id of the refund; one order may have several.")
    refund_amount: Money = Field(description="What went back, in currency, as a decimal string.")
    refund_reason: RequiredText = Field(description="Why, such as order_cancelled.")
    refund_method: RequiredText = Field(description="How it went back, such as original_payment_method.")
    processed_at: Time = Field(description="When the refund was processed.")
    customer_id: OptionalId | None = Field(default=None, description="Id of the customer who ordered.")
    currency: OptionalCurrency | None = Field(default=None, description="Currency of the amounts, ISO 4217.")


class Shortage(Model):
    product_id: Id = Field(description="Id of the product.")
    requested: Positive = Field(description="Units that the order wants.")
    available: NotNegative = Field(description="Units that were left to sell.")
    location_id: OptionalId | None = Field(default=None, description="Id of the warehouse that was asked; the platform's default location if absent.")


class InventoryReservationFailed(Data):
    """Published when the lines of an order cannot all be reserved. After the reservation was refused; nothing is reserved."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="inventory.reservation_failed", version="1.0", topic="inventory-management.inventory.reservation_failed.v1", key=("order_id",),
        publisher="inventory-management-service", consumers=("orders", "analytics"),
        retention_days=30,
    )

    order_id: Id = Field(description="Id of the order.")
    reason: Annotated[RequiredText, OneOf("insufficient_stock", "unknown_product", "inactive_product")] = Field(description="Why nothing is reserved.")
    items: list[Shortage] = Field(description="The lines that could not be reserved; the others are not reserved either.")


class PaymentProcessed(Data):
    """Published when the amount of an order is captured. After the provider captured the payment of a validated order."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="payment.processed", version="1.0", topic="payment.payment.processed.v1", key=("order_id",),
        publisher="payment-service", consumers=("orders", "accounting"),
        retention_days=400,
    )

    payment_id: Id = Field(description="Id of the payment of the order.")
    order_id: Id = Field(description="Id of the order.")
    amount: Money = Field(description="What was captured, in currency, as a decimal string.")
    currency: Currency = Field(description="Currency of the amounts, ISO 4217.")
    method: RequiredText = Field(description="How it was paid, as the provider names it.")
    processed_at: Time = Field(description="When it was captured.")


class PaymentFailed(Data):
    """Published when an order will not be paid, or its authorisation was voided. After the provider declined, failed for good, or a cancelled order was voided."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="payment.failed", version="1.0", topic="payment.payment.failed.v1", key=("order_id",),
        publisher="payment-service", consumers=("orders",),
        retention_days=400,
    )

    order_id: Id = Field(description="Id of the order.")
    reason: Annotated[RequiredText, OneOf("declined", "provider_error", "voided")] = Field(description="Why there is no payment; voided where an authorisation was given up.")
    amount: Money = Field(description="What was to be paid, in currency, as a decimal string.")
    currency: Currency = Field(description="Currency of the amounts, ISO 4217.")
    failed_at: Time = Field(description="When it failed for good, or was voided.")


class PaymentRefunded(Data):
    """Published when captured money went back. After the provider refunded a payment, in part or whole."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="payment.refunded", version="1.0", topic="payment.payment.refunded.v1", key=("order_id",),
        publisher="payment-service", consumers=("orders", "accounting"),
        follows=("payment.processed",),
        retention_days=400,
    )

    payment_id: Id = Field(description="Id of the payment that the money came from.")
    refund_id: Id = Field(description="Id of the refund; one order may have several.")
    order_id: Id = Field(description="Id of the order.")
    amount: Money = Field(description="What went back, in currency, as a decimal string.")
    currency: Currency = Field(description="Currency of the amounts, ISO 4217.")
    reason: RequiredText = Field(description="Why it went back.")
    method: RequiredText = Field(description="How it went back, as the provider names it.")
    refunded_at: Time = Field(description="When it went back.")


class FulfillmentCompleted(Data):
    """Published when the goods of an order are handed to the carrier. After the provider completed the fulfillment of a validated order."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="fulfillment.completed", version="1.0", topic="fulfillment.fulfillment.completed.v1", key=("order_id",),
        publisher="fulfillment-service", consumers=("orders",),
        retention_days=400,
    )

    fulfillment_id: Id = Field(description="Id of the fulfilment of the order.")
    order_id: Id = Field(description="Id of the order.")
    location_id: OptionalId | None = Field(default=None, description="Id of the warehouse that sent the goods; the platform's default location if absent.")
    carrier: Text | None = Field(default=None, description="Who carries the goods.")
    tracking_number: Text | None = Field(default=None, description="The carrier's number to follow them by.")
    completed_at: Time = Field(description="When the goods were handed over.")


class FulfillmentFailed(Data):
    """Published when an order cannot be fulfilled. After the provider failed for good."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="fulfillment.failed", version="1.0", topic="fulfillment.fulfillment.failed.v1", key=("order_id",),
        publisher="fulfillment-service", consumers=("orders",),
        retention_days=400,
    )

    order_id: Id = Field(description="Id of the order.")
    reason: RequiredText = Field(description="Why, as the provider says it.")
    failed_at: Time = Field(description="When it failed for good.")


class OrderRefundRequested(Data):
    """Published when money of a completed order is to go back. After a refund was accepted for a completed order."""

    CONTRACT: ClassVar[Contract] = Contract(
        type="order.refund_requested", version="1.0", topic="order-management.order.refund_requested.v1", key=("order_id",),
        publisher="order-management-service", consumers=("payments",),
        retention_days=400,
    )

    order_id: Id = Field(description="Id of the order.")
    refund_amount: Money = Field(description="What is to go back, in the order's currency, as a decimal string.")
    refund_reason: RequiredText = Field(description="Why, in the words of who asked.")
    requested_by: RequiredText = Field(description="Who asked for it, such as customer or staff.")
    requested_at: Time = Field(description="When it was accepted.")


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
