-- +goose Up
-- state: preparing, completed, failed, cancelled (also the tombstone of a cancellation that came first), recalled.
CREATE TABLE fulfillments (
	order_id       TEXT   PRIMARY KEY,
	fulfillment_id TEXT   NOT NULL,
	correlation    TEXT   NOT NULL,
	state          TEXT   NOT NULL,
	carrier        TEXT   NOT NULL DEFAULT '',
	tracking       TEXT   NOT NULL DEFAULT '',
	completed_at   BIGINT
);

-- +goose Down
DROP TABLE fulfillments;
