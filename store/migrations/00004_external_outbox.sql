-- +goose Up

-- Where services in other languages put their events, in transactions of their own (PostgreSQL; docs/python.md). They insert
-- event alone, or also what caused it; the relay's leader takes the rows over into the outbox and deletes them here. A row
-- that breaks its contract stays, with code and detail, until somebody mends or deletes it; it holds up no other.
CREATE TABLE outbox_external (
	id           {{serial}},
	event        {{json}} NOT NULL,
	causation_id TEXT   NOT NULL DEFAULT '',
	traceparent  TEXT   NOT NULL DEFAULT '',
	code         TEXT,
	detail       TEXT,
	refused_at   BIGINT
);
CREATE INDEX outbox_external_waiting ON outbox_external (id) WHERE code IS NULL;

-- +goose Down
DROP TABLE outbox_external;
