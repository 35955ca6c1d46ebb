-- +goose Up
-- doc is derived from product_id. The *_words are what is indexed: lower case, without accents, separated by spaces.
-- sequence and at tell what is newer; a deleted product stays without words.
CREATE TABLE products (
	doc               INTEGER  PRIMARY KEY,
	product_id        TEXT     NOT NULL UNIQUE,
	category_id       TEXT     NOT NULL,
	price             BIGINT   NOT NULL,
	is_active         SMALLINT NOT NULL,
	deleted           SMALLINT NOT NULL,
	at                BIGINT   NOT NULL,
	sequence          BIGINT   NOT NULL,
	name              TEXT     NOT NULL,
	sku               TEXT     NOT NULL,
	attributes        TEXT     NOT NULL,
	description       TEXT     NOT NULL,
	name_words        TEXT     NOT NULL,
	sku_words         TEXT     NOT NULL,
	attribute_words   TEXT     NOT NULL,
	description_words TEXT     NOT NULL
);

-- The index of the words, kept by triggers: whoever writes products, a rebuild too, cannot forget it.
CREATE VIRTUAL TABLE product_index USING fts5 (
	name_words, sku_words, attribute_words, description_words,
	content = 'products', content_rowid = 'doc', tokenize = 'unicode61 remove_diacritics 0', prefix = '2 3'
);
-- +goose StatementBegin
CREATE TRIGGER product_entered AFTER INSERT ON products BEGIN
	INSERT INTO product_index (rowid, name_words, sku_words, attribute_words, description_words)
	VALUES (new.doc, new.name_words, new.sku_words, new.attribute_words, new.description_words);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER product_removed AFTER DELETE ON products BEGIN
	INSERT INTO product_index (product_index, rowid, name_words, sku_words, attribute_words, description_words)
	VALUES ('delete', old.doc, old.name_words, old.sku_words, old.attribute_words, old.description_words);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER product_changed AFTER UPDATE OF name_words, sku_words, attribute_words, description_words ON products
WHEN old.name_words <> new.name_words OR old.sku_words <> new.sku_words OR old.attribute_words <> new.attribute_words OR old.description_words <> new.description_words BEGIN
	INSERT INTO product_index (product_index, rowid, name_words, sku_words, attribute_words, description_words)
	VALUES ('delete', old.doc, old.name_words, old.sku_words, old.attribute_words, old.description_words);
	INSERT INTO product_index (rowid, name_words, sku_words, attribute_words, description_words)
	VALUES (new.doc, new.name_words, new.sku_words, new.attribute_words, new.description_words);
END;
-- +goose StatementEnd

-- The vocabulary: how many products have a word, and which words look like a misspelt one.
CREATE TABLE words (
	word     TEXT   PRIMARY KEY,
	products BIGINT NOT NULL
) WITHOUT ROWID;
CREATE TABLE word_trigrams (
	trigram TEXT NOT NULL,
	word    TEXT NOT NULL,
	PRIMARY KEY (trigram, word)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE word_trigrams;
DROP TABLE words;
DROP TABLE product_index;
DROP TABLE products;
