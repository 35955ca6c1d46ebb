#!/usr/bin/env bash
# Three Kafka nodes on this machine: one is killed under load, then all are restarted one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."
export BROKERS_DIR=$PWD/bin/cluster KAFKA_NODES=3
export KAFKA_PORT=${KAFKA_PORT:-39092} KAFKA_CONTROLLER_PORT=${KAFKA_CONTROLLER_PORT:-39192} POSTGRES_PORT=${POSTGRES_PORT:-35432} PUBSUB_PORT=${PUBSUB_PORT:-38085}
trap 'scripts/brokers.sh stop' EXIT
scripts/brokers.sh start
. "$BROKERS_DIR/env"
TEST_CLUSTER=1 go test -count=1 -v -timeout 15m -run TestCluster ./app
