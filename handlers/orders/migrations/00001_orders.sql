-- +goose Up
-- captured: money that payments took. answered: payments has answered the cancellation. requested: refunds asked for, not yet done.
CREATE TABLE orders (
	order_id       TEXT     PRIMARY KEY,
	correlation    TEXT     NOT NULL,
	customer_id    TEXT     NOT NULL,
	currency       TEXT     NOT NULL,
	status         TEXT     NOT NULL,
	total          BIGINT   NOT NULL,
	final          BIGINT   NOT NULL DEFAULT 0,
	captured       BIGINT   NOT NULL DEFAULT 0,
	refunded       BIGINT   NOT NULL DEFAULT 0,
	requested      BIGINT   NOT NULL DEFAULT 0,
	answered       SMALLINT NOT NULL DEFAULT 0,
	payment_id     TEXT     NOT NULL DEFAULT '',
	fulfillment_id TEXT     NOT NULL DEFAULT '',
	reason         TEXT     NOT NULL DEFAULT '',
	shipping       TEXT     NOT NULL,
	billing        TEXT     NOT NULL,
	created_at     BIGINT   NOT NULL
);
CREATE INDEX orders_status ON orders (status, order_id);
CREATE INDEX orders_customer ON orders (customer_id, order_id);
-- own_price: we named the price, the shopper did not.
CREATE TABLE order_items (
	order_id       TEXT     NOT NULL,
	line           INTEGER  NOT NULL,
	product_id     TEXT     NOT NULL,
	quantity       BIGINT   NOT NULL,
	unit_price     BIGINT   NOT NULL,
	own_price      SMALLINT NOT NULL,
	reservation_id TEXT     NOT NULL DEFAULT '',
	PRIMARY KEY (order_id, line)
);
CREATE TABLE order_history (
	id       {{serial}},
	order_id TEXT   NOT NULL,
	status   TEXT   NOT NULL,
	at       BIGINT NOT NULL,
	event_id TEXT   NOT NULL,
	reason   TEXT   NOT NULL
);
CREATE INDEX order_history_order ON order_history (order_id, id);
-- What the catalog said; sequence and at tell what is newer.
CREATE TABLE products (
	product_id TEXT     PRIMARY KEY,
	is_active  SMALLINT NOT NULL,
	deleted    SMALLINT NOT NULL DEFAULT 0,
	out_at     BIGINT,
	sequence   BIGINT   NOT NULL,
	at         BIGINT   NOT NULL
);
-- Every price with the time from which it holds, so that an order can be judged as of its creation.
CREATE TABLE prices (
	product_id TEXT   NOT NULL,
	since      BIGINT NOT NULL,
	price      BIGINT NOT NULL,
	PRIMARY KEY (product_id, since)
);

-- +goose Down
DROP TABLE prices;
DROP TABLE products;
DROP TABLE order_history;
DROP TABLE order_items;
DROP TABLE orders;
