-- +goose Up
-- state: proposed, approved, receiving (inventory is asked to take the goods in), received, cancelled.
CREATE TABLE purchase_orders (
	purchase_order_id TEXT   PRIMARY KEY,
	product_id        TEXT   NOT NULL,
	location_id       TEXT   NOT NULL,
	state             TEXT   NOT NULL,
	quantity          BIGINT NOT NULL,
	received          BIGINT NOT NULL DEFAULT 0,
	available         BIGINT NOT NULL,
	threshold         BIGINT NOT NULL,
	alert_level       TEXT   NOT NULL,
	note              TEXT   NOT NULL DEFAULT '',
	deliveries        BIGINT NOT NULL DEFAULT 0,
	correlation       TEXT   NOT NULL,
	event_id          TEXT   NOT NULL,
	created_at        BIGINT NOT NULL,
	updated_at        BIGINT NOT NULL
);
CREATE INDEX purchase_orders_product ON purchase_orders (product_id, purchase_order_id);
-- At most one open purchase order per product and location.
CREATE UNIQUE INDEX purchase_orders_open ON purchase_orders (product_id, location_id) WHERE state IN ('proposed', 'approved', 'receiving');

-- +goose Down
DROP TABLE purchase_orders;
