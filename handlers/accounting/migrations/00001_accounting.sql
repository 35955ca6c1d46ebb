-- +goose Up
-- The journal. An entry moves one amount from the account that it credits to the one that it debits, so that no row, and no
-- sum of rows, can be out of balance. entry_id is the event that was posted: posting it again finds it there. Entries are
-- never changed. period is the month that the entry counts in; late_of is the closed one that it came too late for.
CREATE TABLE entries (
	entry_id   TEXT   PRIMARY KEY,
	event_type TEXT   NOT NULL,
	at         BIGINT NOT NULL,
	period     TEXT   NOT NULL,
	late_of    TEXT   NOT NULL,
	order_id   TEXT   NOT NULL,
	reference  TEXT   NOT NULL,
	currency   TEXT   NOT NULL,
	amount     BIGINT NOT NULL,
	debit      TEXT   NOT NULL,
	credit     TEXT   NOT NULL,
	CHECK (amount >= 0 AND debit <> credit)
);
CREATE INDEX entries_period ON entries (period, at, entry_id);
CREATE INDEX entries_order ON entries (order_id);
-- Refunds that name no currency, until the payment of their order does.
CREATE TABLE unnamed_refunds (
	entry_id  TEXT   PRIMARY KEY,
	at        BIGINT NOT NULL,
	order_id  TEXT   NOT NULL,
	reference TEXT   NOT NULL,
	amount    BIGINT NOT NULL
);
CREATE INDEX unnamed_refunds_order ON unnamed_refunds (order_id);
-- Periods that take no entries any more: the last one, and all before it.
CREATE TABLE closed_periods (
	period    TEXT   PRIMARY KEY,
	closed_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE closed_periods;
DROP TABLE unnamed_refunds;
DROP TABLE entries;
