-- +goose Up
-- Requests to erase a customer's personal data, by service: erased_at is NULL until that service has done it.
CREATE TABLE erasures (
	customer_id  TEXT   NOT NULL,
	service      TEXT   NOT NULL,
	requested_at BIGINT NOT NULL,
	erased_at    BIGINT,
	PRIMARY KEY (customer_id, service)
);

-- +goose Down
DROP TABLE erasures;
