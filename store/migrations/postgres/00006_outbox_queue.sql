-- +goose Up

-- The ids of the rows that the transport has not taken, apart from these: taking one deletes a narrow row, where a mark writes
-- the wide row again, and its indexes. done_at, never NULL in outbox_rows, is now since when a row is here for certain.
-- The table is locked first: who writes to it holds no lock that is wanted afterwards.
LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE;
ALTER TABLE outbox RENAME TO outbox_rows;
CREATE TABLE outbox_queue (id BIGINT PRIMARY KEY);
INSERT INTO outbox_queue SELECT id FROM outbox_rows WHERE done_at IS NULL ORDER BY id;
UPDATE outbox_rows SET done_at = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT WHERE done_at IS NULL;
DROP INDEX outbox_pending;

-- The outbox as it was, for whoever reads it, and for the previous program to write to as well, before, beside and after this
-- one: it finds in done_at what is pending, and sets it when the transport has taken a row.
CREATE VIEW outbox AS
	SELECT id, event_id, topic, event_type, key, sequence, correlation, causation, traceparent, tracestate, occurred_at, payload, digest,
		CASE WHEN EXISTS (SELECT 1 FROM outbox_queue AS q WHERE q.id = r.id) THEN NULL ELSE done_at END AS done_at
	FROM outbox_rows AS r;
ALTER VIEW outbox ALTER COLUMN id SET DEFAULT nextval('outbox_id_seq');
ALTER VIEW outbox ALTER COLUMN causation SET DEFAULT '';
ALTER VIEW outbox ALTER COLUMN traceparent SET DEFAULT '';
ALTER VIEW outbox ALTER COLUMN tracestate SET DEFAULT '';

-- +goose StatementBegin
CREATE FUNCTION outbox_insert() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO outbox_rows (id, event_id, topic, event_type, key, sequence, correlation, causation, traceparent, tracestate, occurred_at, payload, digest, done_at)
	VALUES (NEW.id, NEW.event_id, NEW.topic, NEW.event_type, NEW.key, NEW.sequence, NEW.correlation, NEW.causation, NEW.traceparent, NEW.tracestate, NEW.occurred_at, NEW.payload, NEW.digest,
		COALESCE(NEW.done_at, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT));
	IF NEW.done_at IS NULL THEN
		INSERT INTO outbox_queue VALUES (NEW.id);
	END IF;
	RETURN NEW;
END
$$;
-- +goose StatementEnd
-- Only what changes is written: the row that a mark has seen may have been redacted since.
-- +goose StatementBegin
CREATE FUNCTION outbox_update() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	marked CONSTANT BIGINT := NEW.done_at;
BEGIN
	IF marked IS NULL AND OLD.done_at IS NOT NULL THEN
		INSERT INTO outbox_queue VALUES (OLD.id) ON CONFLICT DO NOTHING;
	ELSIF marked IS DISTINCT FROM OLD.done_at THEN
		DELETE FROM outbox_queue WHERE id = OLD.id;
		UPDATE outbox_rows SET done_at = marked WHERE id = OLD.id;
	END IF;
	NEW.done_at := OLD.done_at;
	IF NEW IS DISTINCT FROM OLD THEN
		UPDATE outbox_rows SET (event_id, topic, event_type, key, sequence, correlation, causation, traceparent, tracestate, occurred_at, payload, digest)
			= (NEW.event_id, NEW.topic, NEW.event_type, NEW.key, NEW.sequence, NEW.correlation, NEW.causation, NEW.traceparent, NEW.tracestate, NEW.occurred_at, NEW.payload, NEW.digest)
		WHERE id = OLD.id;
	END IF;
	NEW.done_at := marked;
	RETURN NEW;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION outbox_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	DELETE FROM outbox_queue WHERE id = OLD.id;
	DELETE FROM outbox_rows WHERE id = OLD.id;
	RETURN OLD;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER outbox_insert INSTEAD OF INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_insert();
CREATE TRIGGER outbox_update INSTEAD OF UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_update();
CREATE TRIGGER outbox_delete INSTEAD OF DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_delete();

-- +goose Down
LOCK TABLE outbox_rows, outbox_queue IN ACCESS EXCLUSIVE MODE;
DROP VIEW outbox;
DROP FUNCTION outbox_insert, outbox_update, outbox_delete;
ALTER TABLE outbox_rows RENAME TO outbox;
UPDATE outbox SET done_at = NULL WHERE id IN (SELECT id FROM outbox_queue);
DROP TABLE outbox_queue;
CREATE INDEX outbox_pending ON outbox (id) WHERE done_at IS NULL;
