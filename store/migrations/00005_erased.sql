-- +goose Up

-- Whose personal data was erased, and up to when: events about them from before hold placeholders here, so that they are not
-- compared with the original, which may come again.
CREATE TABLE erased (
	subject TEXT   PRIMARY KEY,
	at      BIGINT NOT NULL
);

-- +goose Down
DROP TABLE erased;
