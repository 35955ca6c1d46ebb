-- +goose Up
-- For those who look through products without words to look for: in their order, and counted.
CREATE INDEX products_browsed ON products (deleted, category_id, is_active, price);
CREATE INDEX products_by_price ON products (price, product_id);
CREATE INDEX products_by_name ON products (name_words, product_id);
CREATE INDEX products_by_time ON products (at, product_id);

-- +goose Down
DROP INDEX products_by_time;
DROP INDEX products_by_name;
DROP INDEX products_by_price;
DROP INDEX products_browsed;
