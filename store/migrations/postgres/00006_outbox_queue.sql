-- +goose Up

-- The rows of the outbox that the transport has not taken. They stand apart so that taking one deletes a narrow row, where a
-- mark in the outbox writes the whole wide row again, and its five indexes. done_at tells since when a row is in the outbox.
-- previous: entered by the program before this migration, which knows done_at alone and sets it when a row is taken.
LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE;
CREATE TABLE outbox_queue (
	id       BIGINT  PRIMARY KEY,
	previous BOOLEAN NOT NULL DEFAULT FALSE
);
INSERT INTO outbox_queue SELECT id, TRUE FROM outbox WHERE done_at IS NULL;

-- Both programs run side by side while processes are replaced one after another: what the previous one enters is queued for
-- this one, and what either takes of it is taken for both.
-- +goose StatementBegin
CREATE FUNCTION outbox_entered() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
	INSERT INTO outbox_queue VALUES (NEW.id, TRUE);
	RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION outbox_marked() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
	DELETE FROM outbox_queue WHERE id = NEW.id;
	RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION outbox_taken() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN
	UPDATE outbox SET done_at = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT WHERE id = OLD.id AND done_at IS NULL;
	RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER outbox_entered AFTER INSERT ON outbox FOR EACH ROW WHEN (NEW.done_at IS NULL) EXECUTE FUNCTION outbox_entered();
CREATE TRIGGER outbox_marked AFTER UPDATE OF done_at ON outbox FOR EACH ROW WHEN (OLD.done_at IS NULL) EXECUTE FUNCTION outbox_marked();
CREATE TRIGGER outbox_taken AFTER DELETE ON outbox_queue FOR EACH ROW WHEN (OLD.previous) EXECUTE FUNCTION outbox_taken();

-- +goose Down
DROP TRIGGER outbox_marked ON outbox;
DROP TRIGGER outbox_entered ON outbox;
UPDATE outbox SET done_at = NULL WHERE id IN (SELECT id FROM outbox_queue);
DROP TABLE outbox_queue;
DROP FUNCTION outbox_entered, outbox_marked, outbox_taken;
