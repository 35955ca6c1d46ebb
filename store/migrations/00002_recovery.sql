-- +goose Up

-- Where a message stood on its transport (empty where that does not number its messages), and when its handler failed.
ALTER TABLE parked ADD COLUMN source_partition TEXT NOT NULL DEFAULT '';
ALTER TABLE parked ADD COLUMN source_offset TEXT NOT NULL DEFAULT '';
ALTER TABLE parked ADD COLUMN failed_first BIGINT;
ALTER TABLE parked ADD COLUMN failed_last BIGINT;

-- The processes that work on this database. An orderly stop removes its row; a process that was found dead is marked.
CREATE TABLE runs (
	id         TEXT   PRIMARY KEY,
	began_at   BIGINT NOT NULL,
	crashed_at BIGINT
);

-- What runs alone after an unclean stop, stored before it begins: how many processes in a row ended in the middle of it.
CREATE TABLE suspects (
	subject TEXT    PRIMARY KEY,
	crashes INTEGER NOT NULL,
	run     TEXT    NOT NULL,
	at      BIGINT  NOT NULL
);

-- +goose Down
DROP TABLE suspects;
DROP TABLE runs;
ALTER TABLE parked DROP COLUMN failed_last;
ALTER TABLE parked DROP COLUMN failed_first;
ALTER TABLE parked DROP COLUMN source_offset;
ALTER TABLE parked DROP COLUMN source_partition;
