-- +goose Up
-- What filters, facets and orders need of a product that matched, without its texts.
CREATE INDEX products_narrow ON products (doc, deleted, category_id, is_active, price, product_id, at);

-- +goose Down
DROP INDEX products_narrow;
