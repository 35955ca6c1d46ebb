-- +goose Up
-- The trail: rows are added, never changed. Each hash covers its row and the hash before it.
CREATE TABLE trail (
	sequence      BIGINT PRIMARY KEY,
	event_id      TEXT   NOT NULL UNIQUE,
	source        TEXT   NOT NULL,
	correlation   TEXT   NOT NULL,
	causation     TEXT   NOT NULL,
	occurred_at   BIGINT NOT NULL,
	recorded_at   BIGINT NOT NULL,
	product_id    TEXT   NOT NULL,
	location_id   TEXT   NOT NULL,
	old_quantity  BIGINT NOT NULL,
	new_quantity  BIGINT NOT NULL,
	kind          TEXT   NOT NULL,
	reason        TEXT   NOT NULL,
	reference     TEXT   NOT NULL,
	previous_hash TEXT   NOT NULL,
	hash          TEXT   NOT NULL
);
CREATE INDEX trail_product ON trail (product_id, sequence);
-- The last record, so that one cut off at the end is missed. One row.
CREATE TABLE head (
	id       INTEGER PRIMARY KEY,
	sequence BIGINT  NOT NULL,
	hash     TEXT    NOT NULL
);

-- +goose Down
DROP TABLE head;
DROP TABLE trail;
