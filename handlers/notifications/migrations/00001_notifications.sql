-- +goose Up
-- Names and addresses stand here and nowhere else in this database (but in the payload of a job that sends at this moment).
CREATE TABLE contacts (
	customer_id TEXT   PRIMARY KEY,
	name        TEXT   NOT NULL,
	email       TEXT   NOT NULL,
	webhook     TEXT   NOT NULL,
	preferences TEXT   NOT NULL,
	quiet       TEXT   NOT NULL,
	updated_at  BIGINT NOT NULL
);
CREATE TABLE watches (
	product_id  TEXT NOT NULL,
	customer_id TEXT NOT NULL,
	PRIMARY KEY (product_id, customer_id)
);
CREATE INDEX watches_customer ON watches (customer_id);
-- Whom an order's later events are told to.
CREATE TABLE orders (
	order_id    TEXT   PRIMARY KEY,
	customer_id TEXT   NOT NULL,
	total       BIGINT NOT NULL,
	currency    TEXT   NOT NULL
);
-- state: gathering, scheduled, sending, sent, failed, skipped, erased.
CREATE TABLE messages (
	id         {{serial}},
	message_id TEXT   NOT NULL UNIQUE,
	recipient  TEXT   NOT NULL,
	channel    TEXT   NOT NULL,
	subject    TEXT   NOT NULL,
	state      TEXT   NOT NULL,
	notices    BIGINT NOT NULL,
	attempts   BIGINT NOT NULL DEFAULT 0,
	detail     TEXT   NOT NULL DEFAULT '',
	due        BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	sent_at    BIGINT
);
CREATE INDEX messages_recipient ON messages (recipient, channel, subject, id);
-- Each event that a recipient is told of through a channel stands in one message.
CREATE TABLE notices (
	event_id   TEXT   NOT NULL,
	recipient  TEXT   NOT NULL,
	channel    TEXT   NOT NULL,
	message_id TEXT   NOT NULL,
	event_type TEXT   NOT NULL,
	facts      TEXT   NOT NULL,
	at         BIGINT NOT NULL,
	PRIMARY KEY (event_id, recipient, channel)
);
CREATE INDEX notices_message ON notices (message_id, at, event_id);

-- +goose Down
DROP TABLE notices;
DROP TABLE messages;
DROP TABLE orders;
DROP TABLE watches;
DROP TABLE contacts;
