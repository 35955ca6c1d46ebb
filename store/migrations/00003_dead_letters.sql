-- +goose Up

-- When a job failed first and last, and what groups it with failures of the same cause: a job whose retries are spent is a
-- dead letter, and listed as one.
ALTER TABLE jobs ADD COLUMN failed_first BIGINT;
ALTER TABLE jobs ADD COLUMN failed_last BIGINT;
ALTER TABLE jobs ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';

-- Dead letters, which are few, among everything that is parked or enqueued.
CREATE INDEX parked_dead ON parked (id) WHERE state = 5;
CREATE INDEX jobs_dead ON jobs (id) WHERE state = 5;
CREATE INDEX audit_target ON audit (target);

-- +goose Down
DROP INDEX audit_target;
DROP INDEX jobs_dead;
DROP INDEX parked_dead;
ALTER TABLE jobs DROP COLUMN fingerprint;
ALTER TABLE jobs DROP COLUMN failed_last;
ALTER TABLE jobs DROP COLUMN failed_first;
