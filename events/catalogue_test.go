package events

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTheCatalogueIsTheDomains holds the contracts to domain.md's tables: key, what they follow, retention, topic.
func TestTheCatalogueIsTheDomains(t *testing.T) {
	type row struct {
		key, follows string
		retention    time.Duration
		topic        string
		addition     bool
	}
	want := map[string]row{
		"product.created":              {"product_id", "", Unlimited, "product-catalog.product.created.v1", false},
		"product.updated":              {"product_id", "", Unlimited, "product-catalog.product.updated.v1", false},
		"product.deleted":              {"product_id", "", Unlimited, "product-catalog.product.deleted.v1", false},
		"product.price_changed":        {"product_id", "", Unlimited, "product-catalog.product.price_changed.v1", false},
		"product.out_of_stock":         {"product_id", "", Unlimited, "product-catalog.product.out_of_stock.v1", false},
		"inventory.reserved":           {"order_id|reservation_id", "", 30 * Day, "inventory-management.inventory.reserved.v1", false},
		"inventory.released":           {"order_id|reservation_id", "", 30 * Day, "inventory-management.inventory.released.v1", false},
		"inventory.adjusted":           {"product_id", "", 400 * Day, "inventory-management.inventory.adjusted.v1", false},
		"inventory.low_stock_alert":    {"product_id", "", 30 * Day, "inventory-management.inventory.low_stock_alert.v1", false},
		"inventory.updated":            {"product_id", "", 30 * Day, "inventory-management.inventory.updated.v1", false},
		"order.created":                {"order_id", "", 400 * Day, "order-management.order.created.v1", false},
		"order.validated":              {"order_id", "order.created", 400 * Day, "order-management.order.validated.v1", false},
		"order.completed":              {"order_id", "order.created", 400 * Day, "order-management.order.completed.v1", false},
		"order.cancelled":              {"order_id", "order.created", 400 * Day, "order-management.order.cancelled.v1", false},
		"order.refunded":               {"order_id", "", 400 * Day, "order-management.order.refunded.v1", false},
		"inventory.reservation_failed": {"order_id", "", 30 * Day, "inventory-management.inventory.reservation_failed.v1", true},
		"payment.processed":            {"order_id", "", 400 * Day, "payment.payment.processed.v1", true},
		"payment.failed":               {"order_id", "", 400 * Day, "payment.payment.failed.v1", true},
		"payment.refunded":             {"order_id", "payment.processed", 400 * Day, "payment.payment.refunded.v1", true},
		"fulfillment.completed":        {"order_id", "", 400 * Day, "fulfillment.fulfillment.completed.v1", true},
		"fulfillment.failed":           {"order_id", "", 400 * Day, "fulfillment.fulfillment.failed.v1", true},
		"order.refund_requested":       {"order_id", "", 400 * Day, "order-management.order.refund_requested.v1", true},
	}
	for _, d := range Platform().All() {
		k := d.Contract
		follows := ""
		if len(k.Follows) > 0 {
			follows = k.Follows[0]
		}
		require.Contains(t, want, k.Type, "add the contract's row to this table")
		require.Equal(t, want[k.Type], row{k.Key, follows, k.Retention, k.Topic(), k.Addition}, k.Type)
		require.Equal(t, k.Topic()+".dlq", k.DeadLetterTopic())
		require.NotEmpty(t, k.Purpose)
		require.NotEmpty(t, k.When)
	}
}

func TestACatalogueRefusesContradictions(t *testing.T) {
	_, err := Platform().With(Define[OrderCreated]())
	require.ErrorContains(t, err, "order.created is defined twice")
	_, err = NewCatalogue(Define[nameless]())
	require.ErrorContains(t, err, "domain.action")
}

type nameless struct{}

func (nameless) Contract() Contract { return Contract{Type: "nameless"} }
func (nameless) Validate() error    { return nil }
