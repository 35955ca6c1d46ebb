#!/usr/bin/env bash
# Has schemathesis compare a running server with its OpenAPI document. Needs Python; it is installed to bin/schemathesis. The server
# and its data are its own and end with it.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x bin/schemathesis/bin/st ] || { python3 -m venv bin/schemathesis && bin/schemathesis/bin/pip install -q 'schemathesis>=4,<5'; }
[ $# -gt 0 ] || set -- --generation-database none # failures are printed, not kept
data=$(mktemp -d)
bin/viscount serve --listen 127.0.0.1:0 --data-dir "$data" --log-level error 2>"$data/log" &
server=$!
trap 'kill "$server"; wait "$server" || true; rm -rf "$data"' EXIT
until url=$(grep -o 'ready on http://.*' "$data/log"); do kill -0 "$server" || { cat "$data/log" >&2; exit 1; }; sleep 0.1; done
# Left out are the stream of events, which has no end, and NUL characters, which no JSON Schema of ours forbids and every body does.
bin/schemathesis/bin/st --config-file scripts/schemathesis.toml run "${url#ready on }/api/v1/openapi.json" --exclude-path /api/v1/events/stream \
	--generation-allow-x00 false --max-examples "${EXAMPLES:-50}" --request-timeout 10 "$@"
