-- +goose Up

-- The rows of the outbox that the transport has not taken. They stand apart so that taking one deletes a narrow row, where a
-- mark in the outbox writes the whole wide row again. done_at tells since when a row is in the outbox for certain.
CREATE TABLE outbox_queue (id INTEGER PRIMARY KEY);
INSERT INTO outbox_queue SELECT id FROM outbox WHERE done_at IS NULL;
UPDATE outbox SET done_at = occurred_at WHERE done_at IS NULL;
DROP INDEX outbox_pending;

-- +goose Down
CREATE INDEX outbox_pending ON outbox (id) WHERE done_at IS NULL;
UPDATE outbox SET done_at = NULL WHERE id IN (SELECT id FROM outbox_queue);
DROP TABLE outbox_queue;
