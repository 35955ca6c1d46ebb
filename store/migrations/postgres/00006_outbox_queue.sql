-- +goose Up

-- The ids of the rows that the transport has not taken, apart from these: taking one deletes a narrow row, where a mark writes
-- the wide row again, and its indexes. done_at, never NULL in outbox_rows, is now since when a row is here for certain.
-- The table is locked first: who writes to it holds no lock that is wanted afterwards.
LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE;
ALTER TABLE outbox RENAME TO outbox_rows;
CREATE TABLE outbox_queue (id BIGINT PRIMARY KEY);
INSERT INTO outbox_queue SELECT id FROM outbox_rows WHERE done_at IS NULL ORDER BY id;
DROP INDEX outbox_pending;
UPDATE outbox_rows SET done_at = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT WHERE done_at IS NULL;
ALTER TABLE outbox_rows ALTER COLUMN done_at SET NOT NULL;

-- The outbox as it was, for whoever reads it, and for the previous program to write to as well, before, beside and after this
-- one: it finds in done_at what is pending, and sets it when the transport has taken a row.
CREATE VIEW outbox AS
	SELECT id, event_id, topic, event_type, key, sequence, correlation, causation, traceparent, tracestate, occurred_at, payload, digest,
		CASE WHEN EXISTS (SELECT 1 FROM outbox_queue AS q WHERE q.id = r.id) THEN NULL ELSE done_at END AS done_at
	FROM outbox_rows AS r;
ALTER VIEW outbox ALTER COLUMN causation SET DEFAULT '';
ALTER VIEW outbox ALTER COLUMN traceparent SET DEFAULT '';
ALTER VIEW outbox ALTER COLUMN tracestate SET DEFAULT '';

-- +goose StatementBegin
CREATE FUNCTION outbox_insert() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	marked CONSTANT BIGINT := NEW.done_at;
BEGIN
	NEW.done_at := COALESCE(marked, (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT);
	IF NEW.id IS NULL THEN -- the table counts: to ask its sequence takes a right that writers do not have
		INSERT INTO outbox_rows (event_id, topic, event_type, key, sequence, correlation, causation, traceparent, tracestate, occurred_at, payload, digest, done_at)
		VALUES (NEW.event_id, NEW.topic, NEW.event_type, NEW.key, NEW.sequence, NEW.correlation, NEW.causation, NEW.traceparent, NEW.tracestate, NEW.occurred_at, NEW.payload, NEW.digest, NEW.done_at)
		RETURNING id INTO NEW.id;
	ELSE
		INSERT INTO outbox_rows SELECT NEW.*;
	END IF;
	IF marked IS NULL THEN
		INSERT INTO outbox_queue VALUES (NEW.id);
	END IF;
	NEW.done_at := marked;
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
		PERFORM outbox_taken(ARRAY[OLD.id]);
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
	DELETE FROM outbox_rows WHERE id = OLD.id;
	RETURN OLD;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER outbox_insert INSTEAD OF INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_insert();
CREATE TRIGGER outbox_update INSTEAD OF UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_update();
CREATE TRIGGER outbox_delete INSTEAD OF DELETE ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_delete();

-- What the transport has taken leaves the queue. Here and below indexes are used whatever the planner believes: the queue is
-- empty at one moment and long at the next.
-- +goose StatementBegin
CREATE FUNCTION outbox_taken(ids BIGINT[]) RETURNS VOID LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
	DELETE FROM outbox_queue WHERE id = ANY(ids);
END
$$;
-- +goose StatementEnd
-- An id without its row would be read for ever.
-- +goose StatementBegin
CREATE FUNCTION outbox_rows_delete() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM outbox_taken(ARRAY(SELECT id FROM gone));
	RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER outbox_rows_delete AFTER DELETE ON outbox_rows REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION outbox_rows_delete();

-- What the relay reads: pending rows after an id, in order.
-- +goose StatementBegin
CREATE FUNCTION outbox_next(after BIGINT, most BIGINT) RETURNS SETOF outbox_rows LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT SET enable_seqscan = off SET enable_sort = off AS $$
BEGIN
	RETURN QUERY SELECT r.* FROM outbox_queue AS q CROSS JOIN LATERAL (SELECT * FROM outbox_rows WHERE id = q.id OFFSET 0) AS r
		WHERE q.id > after ORDER BY q.id LIMIT most;
END
$$;
-- +goose StatementEnd
-- What the status counts.
-- +goose StatementBegin
CREATE FUNCTION outbox_backlog() RETURNS TABLE (topic TEXT, events BIGINT, oldest BIGINT) LANGUAGE plpgsql STABLE
	SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
	RETURN QUERY SELECT r.topic, COUNT(*), MIN(r.occurred_at)
		FROM outbox_queue AS q CROSS JOIN LATERAL (SELECT o.topic, o.occurred_at FROM outbox_rows AS o WHERE o.id = q.id OFFSET 0) AS r
		GROUP BY r.topic;
END
$$;
-- +goose StatementEnd

-- Who may use the outbox still may: the triggers write with the rights of whoever uses the view.
-- +goose StatementBegin
DO $$
DECLARE
	held RECORD;
BEGIN
	FOR held IN
		SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::TEXT END AS holder, privilege_type AS kind
		FROM pg_class, aclexplode(COALESCE(relacl, acldefault('r', relowner)))
		WHERE oid = 'outbox_rows'::regclass AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
	LOOP
		EXECUTE format('GRANT %s ON outbox TO %s', held.kind, held.holder);
		EXECUTE format('GRANT SELECT (id) ON outbox_rows TO %s', held.holder);
		EXECUTE format('GRANT SELECT%s ON outbox_queue TO %s',
			CASE held.kind WHEN 'INSERT' THEN ', INSERT' WHEN 'UPDATE' THEN ', INSERT, DELETE' WHEN 'DELETE' THEN ', DELETE' END, held.holder);
	END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
LOCK TABLE outbox_rows, outbox_queue IN ACCESS EXCLUSIVE MODE;
ALTER TABLE outbox_rows ALTER COLUMN done_at DROP NOT NULL;
DROP TRIGGER outbox_rows_delete ON outbox_rows;
DROP VIEW outbox;
DROP FUNCTION outbox_insert, outbox_update, outbox_delete, outbox_rows_delete, outbox_taken, outbox_next, outbox_backlog;
ALTER TABLE outbox_rows RENAME TO outbox;
UPDATE outbox SET done_at = NULL WHERE id IN (SELECT id FROM outbox_queue);
DROP TABLE outbox_queue;
CREATE INDEX outbox_pending ON outbox (id) WHERE done_at IS NULL;
