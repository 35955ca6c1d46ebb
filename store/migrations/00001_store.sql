-- +goose Up

-- One narrow row per event that reached this consumer. pos keeps arrival order, so that inserts append.
-- type, key, correlation, causation and source are kept for foreign events only: ours stand in their publisher's outbox.
CREATE TABLE inbox (
	pos         {{serial}},
	event_id    BYTEA    NOT NULL UNIQUE,
	digest      BYTEA    NOT NULL,
	state       SMALLINT NOT NULL,
	at          BIGINT   NOT NULL,
	attempts    INTEGER  NOT NULL DEFAULT 1,
	reason      TEXT,
	event_type  TEXT,
	key         TEXT,
	correlation TEXT,
	causation   TEXT,
	source      TEXT,
	occurred_at BIGINT
);
CREATE INDEX inbox_foreign_correlation ON inbox (correlation) WHERE correlation IS NOT NULL;
CREATE INDEX inbox_foreign_key ON inbox (key) WHERE key IS NOT NULL;

-- Only what waits, retries or is dead. held: later events of the key wait behind this row.
-- refused: turned away before the handler (invalid, id_conflict); such a row holds nothing and may have no event_id.
CREATE TABLE parked (
	id          {{serial}},
	event_id    BYTEA,
	topic       TEXT     NOT NULL,
	event_type  TEXT     NOT NULL,
	key         TEXT     NOT NULL,
	state       SMALLINT NOT NULL,
	held        SMALLINT NOT NULL DEFAULT 0,
	refused     SMALLINT NOT NULL DEFAULT 0,
	code        TEXT     NOT NULL,
	detail      TEXT     NOT NULL DEFAULT '',
	fingerprint TEXT     NOT NULL DEFAULT '',
	awaits      TEXT     NOT NULL DEFAULT '',
	due         BIGINT,
	attempts    INTEGER  NOT NULL DEFAULT 0,
	crashes     INTEGER  NOT NULL DEFAULT 0,
	correlation TEXT     NOT NULL DEFAULT '',
	causation   TEXT     NOT NULL DEFAULT '',
	occurred_at BIGINT   NOT NULL,
	parked_at   BIGINT   NOT NULL,
	changed_at  BIGINT   NOT NULL,
	payload     BYTEA    NOT NULL,
	metadata    TEXT     NOT NULL DEFAULT '{}'
);
CREATE INDEX parked_key ON parked (key, topic, id);
CREATE INDEX parked_event ON parked (event_id);
CREATE INDEX parked_due ON parked (due) WHERE due IS NOT NULL;

-- sequence is the source's per-key number, NULL for a foreign event that was accepted on behalf of another system.
CREATE TABLE outbox (
	id          {{serial}},
	event_id    BYTEA  NOT NULL UNIQUE,
	topic       TEXT   NOT NULL,
	event_type  TEXT   NOT NULL,
	key         TEXT   NOT NULL,
	sequence    BIGINT,
	correlation TEXT   NOT NULL,
	causation   TEXT   NOT NULL DEFAULT '',
	traceparent TEXT   NOT NULL DEFAULT '',
	tracestate  TEXT   NOT NULL DEFAULT '',
	occurred_at BIGINT NOT NULL,
	payload     BYTEA  NOT NULL,
	digest      BYTEA,
	done_at     BIGINT
);
CREATE INDEX outbox_pending ON outbox (id) WHERE done_at IS NULL;
CREATE INDEX outbox_correlation ON outbox (correlation);
CREATE INDEX outbox_key ON outbox (key);
CREATE INDEX outbox_topic ON outbox (topic, id); -- retention and recorded events are per topic

CREATE TABLE sequences (
	key  TEXT PRIMARY KEY,
	last BIGINT NOT NULL
);

-- What ended per key, for the contracts' follows. Outlives the inbox's retention.
CREATE TABLE marks (
	key        TEXT   NOT NULL,
	event_type TEXT   NOT NULL,
	at         BIGINT NOT NULL,
	PRIMARY KEY (key, event_type)
);

-- name is the idempotency name: one job per kind and name stands at a time. lease is the token that its result checks.
CREATE TABLE jobs (
	id          {{serial}},
	kind        TEXT     NOT NULL,
	name        TEXT     NOT NULL,
	key         TEXT     NOT NULL,
	due         BIGINT   NOT NULL,
	state       SMALLINT NOT NULL,
	lease       BYTEA,
	attempts    INTEGER  NOT NULL DEFAULT 0,
	code        TEXT     NOT NULL DEFAULT '',
	detail      TEXT     NOT NULL DEFAULT '',
	correlation TEXT     NOT NULL DEFAULT '',
	causation   TEXT     NOT NULL DEFAULT '',
	traceparent TEXT     NOT NULL DEFAULT '',
	tracestate  TEXT     NOT NULL DEFAULT '',
	payload     BYTEA    NOT NULL,
	created_at  BIGINT   NOT NULL,
	UNIQUE (kind, name)
);
CREATE INDEX jobs_due ON jobs (due) WHERE state = 1;

-- What operators did: requeue, discard, pause.
CREATE TABLE audit (
	id     {{serial}},
	at     BIGINT NOT NULL,
	actor  TEXT   NOT NULL,
	action TEXT   NOT NULL,
	target TEXT   NOT NULL,
	detail TEXT   NOT NULL DEFAULT ''
);

-- First answers to POST requests that carried an Idempotency-Key, stored with the request's effect.
CREATE TABLE http_idempotency (
	scope      TEXT     PRIMARY KEY,
	request    BYTEA    NOT NULL,
	status     INTEGER  NOT NULL,
	header     TEXT     NOT NULL,
	body       BYTEA    NOT NULL,
	created_at BIGINT   NOT NULL
);
CREATE INDEX http_idempotency_created ON http_idempotency (created_at);

-- Durable counts (applied, ignored, duplicate, …) for the status of a service.
CREATE TABLE counters (
	name  TEXT   PRIMARY KEY,
	value BIGINT NOT NULL
);

-- Settings of this database: the inbox horizon, what an operator paused.
CREATE TABLE settings (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
);

-- +goose Down
DROP TABLE settings;
DROP TABLE counters;
DROP TABLE http_idempotency;
DROP TABLE audit;
DROP TABLE jobs;
DROP TABLE marks;
DROP TABLE sequences;
DROP TABLE outbox;
DROP TABLE parked;
DROP TABLE inbox;
