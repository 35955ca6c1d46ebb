package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/store/postgrestest"
	"github.com/first-viscount/viscount/transports/googlecloud/googlecloudtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	postgrestest.Stop()
	os.Exit(code)
}

// topicsAsCode goes through what an operator types, on the transport that the environment configures.
func topicsAsCode(t *testing.T) {
	dir := t.TempDir()
	do := func(code int, args ...string) string {
		t.Helper()
		out, problem, got := run(t, "", append(args, "--data-dir", dir)...)
		require.Equal(t, code, got, problem+out)
		return out
	}
	require.Regexp(t, `create +order-management\.order\.created\.v1 `, do(0, "topics", "plan"))
	require.Regexp(t, `order-management\.order\.created\.v1 +missing`, do(0, "topics", "list"))
	require.Contains(t, do(exitNo, "doctor"), "viscount topics plan, then apply")
	atNoTerminal(t)
	_, problem, code := run(t, "y\n", "topics", "apply", "--data-dir", dir)
	require.Equal(t, exitUsage, code)
	require.Contains(t, problem, "add --yes")
	require.Regexp(t, `order-management\.order\.created\.v1 +missing`, do(0, "topics", "list"), "nothing was changed")
	do(0, "topics", "apply", "--yes")
	require.Equal(t, "everything is as it should be\n", do(0, "topics", "plan"))
	require.Regexp(t, `order-management\.order\.created\.v1 .* viscount-inventory`, do(0, "topics", "list"))
	require.Contains(t, do(0, "doctor"), "✓ topics\n")
}

// atNoTerminal takes the terminal away, if the test was started at one.
func atNoTerminal(t *testing.T) {
	t.Helper()
	usual := os.Stdin
	nobody, err := os.Open(os.DevNull)
	require.NoError(t, err)
	os.Stdin = nobody
	t.Cleanup(func() {
		os.Stdin = usual
		require.NoError(t, nobody.Close())
	})
}

func TestTopicsOnPubSub(t *testing.T) {
	for key, value := range map[string]string{"PUBSUB_EMULATOR_HOST": googlecloudtest.Endpoint(t), "VISCOUNT_PROFILE": "googlecloud",
		"VISCOUNT_TRANSPORT_GOOGLECLOUD_PROJECT": fmt.Sprint("topics-test-", time.Now().UnixNano()), "VISCOUNT_STORE_DRIVER": "sqlite"} {
		t.Setenv(key, value)
	}
	topicsAsCode(t)
	t.Setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
	out, _, code := run(t, "", "doctor", "--data-dir", t.TempDir())
	require.Equal(t, exitNo, code)
	require.Contains(t, out, "✗ transport googlecloud\n")
}

func TestTopicsOnPostgreSQL(t *testing.T) {
	url := postgrestest.Database(t)
	for key, value := range map[string]string{"VISCOUNT_PROFILE": "sql", "VISCOUNT_STORE_DRIVER": "sqlite", "VISCOUNT_TRANSPORT_SQL_URL": url} {
		t.Setenv(key, value)
	}
	topicsAsCode(t)
	mendsARestore(t, url)
}

// mendsARestore lets doctor find a topic that came back from an older copy than its consumer's position and without its
// sequence, and mend it when it is told to.
func mendsARestore(t *testing.T, url string) {
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	const topic = "order-management.order.created.v1"
	var table string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND obj_description(c.oid, 'pg_class') = $1", topic).Scan(&table))
	_, err = conn.Exec(t.Context(), `INSERT INTO `+table+` ("offset", payload) VALUES (5, '{}')`) // the next number is 1
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), "UPDATE transport.positions SET done = 20 WHERE consumer = 'viscount-inventory' AND topic = $1 AND bucket = 0", topic)
	require.NoError(t, err)
	state := func() (done, next int64) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT max(done), coalesce(pg_sequence_last_value(pg_get_serial_sequence('"+table+"', 'offset')), 0) FROM transport.positions WHERE topic = $1", topic).Scan(&done, &next))
		return done, next
	}
	doctor := func(args ...string) (out, problem string, code int) {
		return run(t, "y\n", append([]string{"doctor", "--data-dir", t.TempDir()}, args...)...)
	}
	untouched := func() {
		t.Helper()
		done, next := state()
		require.Equal(t, []int64{20, 0}, []int64{done, next}, "nothing was changed")
	}
	found := []string{topic + " holds offset 5, but its numbers go on after 0", "viscount-inventory stands at offset 20 of " + topic + ", which ends at 5"}

	out, _, code := doctor()
	require.Equal(t, exitNo, code)
	for _, line := range found {
		require.Contains(t, out, line)
	}
	untouched()
	out, problem, code := doctor("--mend")
	require.Equal(t, exitUsage, code, "nobody is at a terminal")
	require.Contains(t, problem, "add --yes")
	require.Contains(t, out, found[0], "what was found is told all the same")
	untouched()
	out, problem, code = doctor("--mend", "--yes")
	require.Equal(t, 0, code, problem+out)
	done, next := state()
	require.Equal(t, []int64{5, 5}, []int64{done, next})
	out, _, code = doctor()
	require.Equal(t, 0, code, out)
}
