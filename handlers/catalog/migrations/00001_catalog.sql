-- +goose Up
CREATE TABLE products (
	product_id  TEXT     PRIMARY KEY,
	name        TEXT     NOT NULL,
	description TEXT     NOT NULL,
	category_id TEXT     NOT NULL,
	price       BIGINT   NOT NULL,
	sku         TEXT     NOT NULL,
	is_active   SMALLINT NOT NULL,
	attributes  TEXT     NOT NULL,
	version     BIGINT   NOT NULL,
	deleted     SMALLINT NOT NULL DEFAULT 0,
	created_at  BIGINT   NOT NULL,
	updated_at  BIGINT   NOT NULL
);
-- What inventory last said, per location; sequence and at tell what is newer.
CREATE TABLE product_stock (
	product_id  TEXT   NOT NULL,
	location_id TEXT   NOT NULL,
	available   BIGINT NOT NULL,
	sequence    BIGINT NOT NULL,
	at          BIGINT NOT NULL,
	PRIMARY KEY (product_id, location_id)
);

-- +goose Down
DROP TABLE product_stock;
DROP TABLE products;
