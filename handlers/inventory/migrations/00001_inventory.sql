-- +goose Up
-- on hand = adjusted - shipped; 0 <= reserved <= on hand.
CREATE TABLE stock (
	product_id  TEXT   NOT NULL,
	location_id TEXT   NOT NULL,
	adjusted    BIGINT NOT NULL DEFAULT 0,
	shipped     BIGINT NOT NULL DEFAULT 0,
	reserved    BIGINT NOT NULL DEFAULT 0,
	threshold   BIGINT NOT NULL,
	PRIMARY KEY (product_id, location_id),
	CHECK (reserved >= 0 AND reserved <= adjusted - shipped)
);
CREATE TABLE reservations (
	reservation_id TEXT     PRIMARY KEY,
	product_id     TEXT     NOT NULL,
	location_id    TEXT     NOT NULL,
	order_id       TEXT     NOT NULL,
	quantity       BIGINT   NOT NULL,
	status         TEXT     NOT NULL,
	expires_at     BIGINT,
	correlation    TEXT     NOT NULL,
	by_hand        SMALLINT NOT NULL
);
CREATE INDEX reservations_order ON reservations (order_id);
-- Orders that ended before their reservation came: nothing is reserved for them any more.
CREATE TABLE closed_orders (
	order_id TEXT PRIMARY KEY
);
-- What the catalog said; sequence and at tell what is newer.
CREATE TABLE products (
	product_id TEXT     PRIMARY KEY,
	is_active  SMALLINT NOT NULL,
	deleted    SMALLINT NOT NULL DEFAULT 0,
	sequence   BIGINT   NOT NULL,
	at         BIGINT   NOT NULL
);

-- +goose Down
DROP TABLE products;
DROP TABLE closed_orders;
DROP TABLE reservations;
DROP TABLE stock;
