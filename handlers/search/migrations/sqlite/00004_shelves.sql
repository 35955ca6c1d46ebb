-- +goose Up
-- How many products stand in a category that can, or cannot, be ordered: for those who look through all of them. Triggers keep
-- it, so that whoever writes products, a rebuild and the version before too, cannot forget it.
CREATE TABLE shelves (
	category_id TEXT     NOT NULL,
	is_active   SMALLINT NOT NULL,
	products    BIGINT   NOT NULL,
	PRIMARY KEY (category_id, is_active)
) WITHOUT ROWID;
INSERT INTO shelves SELECT category_id, is_active, COUNT(*) FROM products WHERE deleted = 0 GROUP BY category_id, is_active;
-- +goose StatementBegin
CREATE TRIGGER shelf_filled AFTER INSERT ON products WHEN new.deleted = 0 BEGIN
	INSERT INTO shelves VALUES (new.category_id, new.is_active, 1) ON CONFLICT (category_id, is_active) DO UPDATE SET products = products + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER shelf_emptied AFTER DELETE ON products WHEN old.deleted = 0 BEGIN
	UPDATE shelves SET products = products - 1 WHERE category_id = old.category_id AND is_active = old.is_active;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER shelf_changed AFTER UPDATE OF deleted, category_id, is_active ON products
WHEN old.deleted <> new.deleted OR old.category_id <> new.category_id OR old.is_active <> new.is_active BEGIN
	UPDATE shelves SET products = products - 1 WHERE old.deleted = 0 AND category_id = old.category_id AND is_active = old.is_active;
	INSERT INTO shelves SELECT new.category_id, new.is_active, 1 WHERE new.deleted = 0 ON CONFLICT (category_id, is_active) DO UPDATE SET products = products + 1;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER shelf_changed;
DROP TRIGGER shelf_emptied;
DROP TRIGGER shelf_filled;
DROP TABLE shelves;
