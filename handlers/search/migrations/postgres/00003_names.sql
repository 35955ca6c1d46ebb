-- +goose Up
-- The words of the name alone: what they match comes first, and is found without reading the rest.
ALTER TABLE products ADD COLUMN name_index TSVECTOR NOT NULL GENERATED ALWAYS AS (regexp_replace(name_words, '(\S+)', '\1:1A', 'g')::tsvector) STORED;
CREATE INDEX products_names ON products USING gin (name_index);

-- +goose Down
ALTER TABLE products DROP COLUMN name_index;
