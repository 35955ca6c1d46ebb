#!/usr/bin/env bash
# Runs the tests that need real servers. It starts the servers unless they run already, and then ends them. What is skipped
# for want of a server is a failure; the features that a driver does not declare are listed.
set -euo pipefail
cd "$(dirname "$0")/.."
DIR=${BROKERS_DIR:-$PWD/bin/brokers}
if [ ! -f "$DIR/env" ]; then
	trap 'scripts/brokers.sh stop' EXIT
	scripts/brokers.sh start
fi
. "$DIR/env"
export REQUIRE_BROKERS=1
# Kafka clients of Python, in an environment of their own
venv=bin/kafka-clients
if ! cmp -s scripts/kafka-clients.txt "$venv/installed"; then
	python3 -m venv "$venv"
	"$venv/bin/pip" install -q --disable-pip-version-check -r scripts/kafka-clients.txt
	cp scripts/kafka-clients.txt "$venv/installed"
fi
export TEST_PYTHON=$PWD/$venv/bin/python
race=()
if [ "$(go env CGO_ENABLED)" = 1 ] && { command -v gcc || command -v clang; } > /dev/null; then race=(-race); fi
pubsub="emulator $TEST_PUBSUB"
[ "${TEST_PUBSUB_IS:-}" != pstest ] || pubsub="stand-in pstest $TEST_PUBSUB (no emulator on this machine)"
log=bin/test-brokers.log
packages=${TEST_PACKAGES:-./store ./router/... ./handlers/... ./transports/... ./app ./docs}
echo "testing on real servers: Kafka $TEST_KAFKA, PostgreSQL, Pub/Sub $pubsub"
status=0
# left to make test: the longest of those that use SQLite and gochannel alone
local_only='TestRebuiltIsLiveRowByRow|TestARebuildMendsAProjectionAndLosesNothingMeanwhile/sqlite'
# one package after the other: they share the servers
go test "${race[@]}" -count=1 -p 1 -timeout 30m -v -skip "$local_only" ${TEST_RUN:+-run "$TEST_RUN"} $packages > "$log" 2>&1 || status=$?
if [ -z "${TEST_PACKAGES:-}${TEST_RUN:-}" ]; then # of the commands' tests, those that use a server
	go test "${race[@]}" -count=1 -timeout 10m -v -run 'TestTopicsOn|TestAWrong' ./cmd/viscount >> "$log" 2>&1 || status=$?
fi
grep -E '^(ok|FAIL|panic:|---|\s+--- FAIL)|orders/s|orders, |events/s|changes, ' "$log" | grep -vE '^--- (PASS|SKIP)' || true
echo "skipped, because the driver does not declare the feature:"
grep -E '^\s*--- SKIP' "$log" | sed 's/ (.*//; s/^ *--- SKIP: /  /' | sort | uniq -c || true
# the store's tests run once per database: what one skips the other runs
names() { grep -E "^\s*--- $1" "$log" | sed 's/ (.*//; s/^ *--- [A-Z]*: //' | sort -u; }
never=$(comm -23 <(names SKIP) <(names PASS) | grep -vE '^TestSuites/(watermill|viscount)/|^TestCluster$' || true)
if [ -n "$never" ]; then
	echo "skipped on a machine that has every server: $never; the log is $log" >&2
	exit 1
fi
if [ "$status" != 0 ]; then
	go tool test2json < "$log" | python3 scripts/failed-tests.py >&2
	echo "failed; the log is $log" >&2
	exit "$status"
fi
echo "all tests passed on Kafka $TEST_KAFKA, PostgreSQL, Pub/Sub $pubsub"
