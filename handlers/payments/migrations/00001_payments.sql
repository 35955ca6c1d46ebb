-- +goose Up
-- One payment per order. state: authorising, authorised, capturing, captured, failed, voided.
-- validated, cancelled: what was heard of the order meanwhile.
CREATE TABLE payments (
	order_id    TEXT     PRIMARY KEY,
	payment_id  TEXT     NOT NULL,
	correlation TEXT     NOT NULL,
	currency    TEXT     NOT NULL,
	amount      BIGINT   NOT NULL,
	state       TEXT     NOT NULL,
	captured    BIGINT   NOT NULL DEFAULT 0,
	refunded    BIGINT   NOT NULL DEFAULT 0,
	validated   SMALLINT NOT NULL DEFAULT 0,
	cancelled   SMALLINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX payments_id ON payments (payment_id);

-- +goose Down
DROP TABLE payments;
