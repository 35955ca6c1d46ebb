-- +goose Up
-- doc is derived from product_id. The *_words are what is indexed: lower case, without accents, separated by spaces.
-- sequence and at tell what is newer; a deleted product stays without words.
CREATE TABLE products (
	doc               BIGINT   PRIMARY KEY,
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
	description_words TEXT     NOT NULL,
	-- A name counts most. The words are split already, so that no parser of PostgreSQL's guesses at them.
	words_index       TSVECTOR NOT NULL GENERATED ALWAYS AS (
		regexp_replace(name_words, '(\S+)', '\1:1A', 'g')::tsvector || regexp_replace(sku_words, '(\S+)', '\1:1B', 'g')::tsvector ||
		regexp_replace(attribute_words, '(\S+)', '\1:1C', 'g')::tsvector || regexp_replace(description_words, '(\S+)', '\1:1D', 'g')::tsvector) STORED
);
CREATE INDEX products_words ON products USING gin (words_index);

-- The vocabulary: how many products have a word, and which words look like a misspelt one.
CREATE TABLE words (
	word     TEXT   COLLATE "C" PRIMARY KEY,
	products BIGINT NOT NULL
);
CREATE TABLE word_trigrams (
	trigram TEXT COLLATE "C" NOT NULL,
	word    TEXT COLLATE "C" NOT NULL,
	PRIMARY KEY (trigram, word)
);

-- +goose Down
DROP TABLE word_trigrams;
DROP TABLE words;
DROP TABLE products;
