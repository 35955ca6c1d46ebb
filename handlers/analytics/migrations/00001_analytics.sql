-- +goose Up
-- Times are microseconds; hour is the beginning of an hour, UTC. Rows are facts, or sums of an hour: in whatever order events
-- arrive, the same rows result.
CREATE TABLE completed_orders (
	order_id TEXT   PRIMARY KEY,
	at       BIGINT NOT NULL,
	amount   BIGINT NOT NULL,
	currency TEXT   NOT NULL
);
CREATE INDEX completed_orders_at ON completed_orders (at);

CREATE TABLE refunds (
	order_id  TEXT   NOT NULL,
	refund_id TEXT   NOT NULL,
	at        BIGINT NOT NULL,
	amount    BIGINT NOT NULL,
	currency  TEXT   NOT NULL,
	PRIMARY KEY (order_id, refund_id)
);
CREATE INDEX refunds_at ON refunds (at);

CREATE TABLE demand (
	hour        BIGINT NOT NULL,
	product_id  TEXT   NOT NULL,
	location_id TEXT   NOT NULL,
	reserved    BIGINT NOT NULL,
	released    BIGINT NOT NULL,
	PRIMARY KEY (hour, product_id, location_id)
);

-- The row without a product counts orders; the others the products that were missing.
CREATE TABLE failed_reservations (
	hour        BIGINT NOT NULL,
	reason      TEXT   NOT NULL,
	product_id  TEXT   NOT NULL,
	location_id TEXT   NOT NULL,
	failures    BIGINT NOT NULL,
	requested   BIGINT NOT NULL,
	missing     BIGINT NOT NULL,
	PRIMARY KEY (hour, reason, product_id, location_id)
);

CREATE TABLE adjustments (
	hour            BIGINT NOT NULL,
	adjustment_type TEXT   NOT NULL,
	product_id      TEXT   NOT NULL,
	location_id     TEXT   NOT NULL,
	adjustments     BIGINT NOT NULL,
	gained          BIGINT NOT NULL,
	lost            BIGINT NOT NULL,
	PRIMARY KEY (hour, adjustment_type, product_id, location_id)
);

CREATE TABLE prices (
	product_id   TEXT   NOT NULL,
	since        BIGINT NOT NULL,
	event_id     TEXT   NOT NULL,
	announced_at BIGINT NOT NULL,
	old_price    BIGINT NOT NULL,
	new_price    BIGINT NOT NULL,
	PRIMARY KEY (product_id, since, event_id)
);

CREATE TABLE alerts (
	product_id  TEXT   NOT NULL,
	location_id TEXT   NOT NULL,
	at          BIGINT NOT NULL,
	event_id    TEXT   NOT NULL,
	level       TEXT   NOT NULL,
	quantity    BIGINT NOT NULL,
	threshold   BIGINT NOT NULL,
	PRIMARY KEY (product_id, location_id, at, event_id)
);
CREATE INDEX alerts_at ON alerts (at);

CREATE TABLE levels (
	product_id  TEXT   NOT NULL,
	location_id TEXT   NOT NULL,
	at          BIGINT NOT NULL,
	event_id    TEXT   NOT NULL,
	available   BIGINT NOT NULL,
	PRIMARY KEY (product_id, location_id, at, event_id)
);

CREATE TABLE stockouts (
	hour        BIGINT NOT NULL,
	product_id  TEXT   NOT NULL,
	location_id TEXT   NOT NULL,
	stockouts   BIGINT NOT NULL,
	PRIMARY KEY (hour, product_id, location_id)
);

-- +goose Down
DROP TABLE stockouts;
DROP TABLE levels;
DROP TABLE alerts;
DROP TABLE prices;
DROP TABLE adjustments;
DROP TABLE failed_reservations;
DROP TABLE demand;
DROP TABLE refunds;
DROP TABLE completed_orders;
