-- +goose Up
-- What is known of an order: a refund may be heard before the completion, so that every column fills by itself.
-- completed_at is NULL until the order is completed; until then it counts for nothing.
CREATE TABLE orders (
	order_id     TEXT   PRIMARY KEY,
	customer_id  TEXT   NOT NULL,
	currency     TEXT   NOT NULL,
	final        BIGINT NOT NULL DEFAULT 0,
	refunded     BIGINT NOT NULL DEFAULT 0,
	completed_at BIGINT,
	refunded_at  BIGINT
);
CREATE INDEX orders_customer ON orders (customer_id, order_id);

-- +goose Down
DROP TABLE orders;
