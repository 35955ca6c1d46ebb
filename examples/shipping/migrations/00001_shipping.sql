-- +goose Up
CREATE TABLE parcels (
	parcel_id TEXT   PRIMARY KEY,
	order_id  TEXT   NOT NULL,
	sent_at   BIGINT NOT NULL
);
-- +goose Down
DROP TABLE parcels;
