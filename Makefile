# The commands of this repository. `make` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
BINARY := bin/viscount
TOOLS := $(CURDIR)/bin/tools
LINT_VERSION := v2.15.0
LINT := $(TOOLS)/golangci-lint-$(LINT_VERSION)

# The race detector needs a C compiler; without one the tests run all the same, and say so.
CC_FOUND := $(shell command -v gcc || command -v clang || command -v cc)

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

.PHONY: build
build: ## build bin/viscount
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BINARY) ./cmd/viscount

.PHONY: run
run: build ## run the platform on http://127.0.0.1:8080 (ARGS="--listen …" for more)
	$(BINARY) serve $(ARGS)

.PHONY: test
test: check-deploy ## run the tests (with the race detector where a C compiler is found)
ifeq ($(CC_FOUND),)
	@if [ "$(REQUIRE_RACE)" = 1 ]; then echo "no C compiler found: the race detector, which is required here, cannot run" >&2; exit 1; fi
	@echo "no C compiler found: testing without the race detector"
	go test -shuffle=on -timeout 15m ./...
else
	@echo "testing with the race detector ($(CC_FOUND))"
	CGO_ENABLED=1 go test -race -shuffle=on -timeout 15m ./...
endif
	@$(MAKE) --no-print-directory test-examples

.PHONY: test-examples
test-examples: ## build and test services in modules of their own against this checkout
	cd examples/shipping && go vet ./... && go test -count=1 -shuffle=on ./...

.PHONY: test-python
test-python: bin/venv/made ## test the Python package, in an environment of its own (from PyPI)
	cd python && ../bin/venv/bin/python -m pytest -q && ../bin/venv/bin/mypy src tests
	REQUIRE_PYTHON=1 go test -count=1 -run TestTwoMajorVersions ./cmd/viscount

bin/venv/made: python/pyproject.toml
	python3 -m venv bin/venv
	bin/venv/bin/pip install -q --disable-pip-version-check -e 'python[test]'
	touch $@

.PHONY: check-deploy
check-deploy: ## read everything in deploy/ strictly; needs no container engine (part of `make test`)
	cd internal/deploycheck && go test -count=1 ./...

.PHONY: brokers
brokers: ## start Kafka, PostgreSQL and the Pub/Sub emulator for tests, on loopback
	@scripts/brokers.sh start

.PHONY: brokers-stop
brokers-stop: ## end what `make brokers` started
	@scripts/brokers.sh stop

.PHONY: test-brokers
test-brokers: ## run the tests on real servers (starts them if they do not run)
	@scripts/test-brokers.sh

.PHONY: test-cluster
test-cluster: ## three Kafka nodes: one is killed under load, then all are restarted in turn
	@scripts/test-cluster.sh

.PHONY: test-schemas
test-schemas: ## have Go and the JSON Schemas judge 1,000,000 mutated events (about 6 minutes)
	go test ./contracts -count=1 -timeout 60m -v -run TestGoAndSchemasAgree -documents $${DOCUMENTS:-1000000}

.PHONY: bench-contracts
bench-contracts: ## compare the decoder with encoding/json and validators
	go test ./contracts -run xxx -bench Validation -benchmem

.PHONY: specs
specs: ## have the official parsers judge the AsyncAPI and OpenAPI documents (needs Node.js)
	@scripts/specs.sh

.PHONY: test-api
test-api: build ## have schemathesis compare a running server with its OpenAPI document (needs Python)
	@scripts/test-api.sh $(ARGS)

.PHONY: check-contracts
check-contracts: ## refuse changes of contracts that break somebody, against the newest release (else the commit before)
	@against=$$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || git rev-parse --verify -q HEAD^ || true); \
	if [ -z "$$against" ]; then echo "no earlier commit to compare the contracts with"; \
	else echo "contracts against $$against"; go run ./cmd/viscount contracts check --against "$$against"; fi

.PHONY: soak
soak: build ## 200,000 orders: memory stays flat, retention prunes (about 25 minutes)
	SOAK_ORDERS=$${SOAK_ORDERS:-200000} go test -tags soak -count=1 -timeout 60m -v -run TestSoak ./app

.PHONY: bench
bench: ## compare with stock Watermill on the servers of make brokers (about 8 minutes; ARGS="-cells kafka -rounds 3")
	@if [ -z "$$TEST_KAFKA$$TEST_POSTGRES" ] && [ -f bin/brokers/env ]; then . bin/brokers/env; fi; \
	go build -o bin/bench ./bench && bin/bench -o bin/bench.json $(ARGS)

.PHONY: generate
generate: ## write what derives from the contracts: schemas, specifications, Python models
	go run ./cmd/viscount contracts generate

# FULL=1 runs the figures of docs/reports/faults.md and writes it (about an hour); ROWS="storm" picks rows.
.PHONY: test-faults
test-faults: ## break running servers in every way that is promised to be survived (about 8 minutes)
	FAULTS=$(if $(FULL),full,smoke) go test -count=1 -timeout $(if $(FULL),4h,30m) -v -run 'TestFaults/$(ROWS)' ./internal/faults

.PHONY: lint
lint: $(LINT) ## check style and the import rules of every folder
	$(LINT) run --allow-serial-runners
	cd examples/shipping && $(LINT) run --allow-serial-runners
	cd internal/deploycheck && $(LINT) run --allow-serial-runners

$(LINT):
	GOBIN=$(TOOLS) CGO_ENABLED=0 go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv $(TOOLS)/golangci-lint $(LINT)

.PHONY: fmt
fmt: ## format the code
	gofmt -w $$(git ls-files --cached --others --exclude-standard '*.go')

.PHONY: tidy
tidy: ## tidy go.mod and go.sum
	go mod tidy
	cd examples/shipping && go mod tidy
	cd internal/deploycheck && go mod tidy

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

.PHONY: bench-search
bench-search: ## search among 100,000 products: rebuild time, index size, p95 (TEST_POSTGRES=URL for PostgreSQL)
	go test ./handlers/search -run '^$$' -bench HundredThousand -benchtime 1x -timeout 20m
