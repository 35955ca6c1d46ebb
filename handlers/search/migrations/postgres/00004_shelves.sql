-- +goose Up
-- How many products stand in a category that can, or cannot, be ordered: for those who look through all of them. Triggers keep
-- it, so that whoever writes products, a rebuild and the version before too, cannot forget it: once per statement, which may
-- write all products.
CREATE TABLE shelves (
	category_id TEXT     NOT NULL,
	is_active   SMALLINT NOT NULL,
	products    BIGINT   NOT NULL,
	PRIMARY KEY (category_id, is_active)
);
-- +goose StatementBegin
CREATE FUNCTION count_shelves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO shelves SELECT category_id, is_active, COUNT(*) FROM entered WHERE deleted = 0 GROUP BY 1, 2 ORDER BY 1, 2
		ON CONFLICT (category_id, is_active) DO UPDATE SET products = shelves.products + excluded.products;
	ELSIF TG_OP = 'DELETE' THEN
		INSERT INTO shelves SELECT category_id, is_active, -COUNT(*) FROM gone WHERE deleted = 0 GROUP BY 1, 2 ORDER BY 1, 2
		ON CONFLICT (category_id, is_active) DO UPDATE SET products = shelves.products + excluded.products;
	ELSE
		INSERT INTO shelves SELECT category_id, is_active, SUM(n) FROM (
			SELECT category_id, is_active, 1 AS n FROM entered WHERE deleted = 0 UNION ALL SELECT category_id, is_active, -1 FROM gone WHERE deleted = 0
		) AS moved GROUP BY 1, 2 HAVING SUM(n) <> 0 ORDER BY 1, 2
		ON CONFLICT (category_id, is_active) DO UPDATE SET products = shelves.products + excluded.products;
	END IF;
	RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER shelf_filled AFTER INSERT ON products REFERENCING NEW TABLE AS entered FOR EACH STATEMENT EXECUTE FUNCTION count_shelves();
CREATE TRIGGER shelf_emptied AFTER DELETE ON products REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_shelves();
CREATE TRIGGER shelf_changed AFTER UPDATE ON products REFERENCING OLD TABLE AS gone NEW TABLE AS entered FOR EACH STATEMENT EXECUTE FUNCTION count_shelves();
-- A transaction writes many products, in no order of their shelves and words: two instances would lock those crosswise. So one
-- waits for the other before its first.
-- +goose StatementBegin
CREATE FUNCTION queue_for_shelves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended(TG_TABLE_SCHEMA || '.shelves', 0));
	RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER shelf_queue BEFORE INSERT OR UPDATE OR DELETE ON products FOR EACH STATEMENT EXECUTE FUNCTION queue_for_shelves();
-- The triggers hold writers up until the commit: none is missed, and none counted twice.
INSERT INTO shelves SELECT category_id, is_active, COUNT(*) FROM products WHERE deleted = 0 GROUP BY category_id, is_active;

-- +goose Down
DROP TRIGGER shelf_queue ON products;
DROP FUNCTION queue_for_shelves();
DROP TRIGGER shelf_changed ON products;
DROP TRIGGER shelf_emptied ON products;
DROP TRIGGER shelf_filled ON products;
DROP FUNCTION count_shelves();
DROP TABLE shelves;
