package main

import (
	"os"
	"testing"

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
	do(0, "topics", "apply", "--yes")
	require.Equal(t, "everything is as it should be\n", do(0, "topics", "plan"))
	require.Regexp(t, `order-management\.order\.created\.v1 .* viscount-inventory`, do(0, "topics", "list"))
	require.Contains(t, do(0, "doctor"), "✓ topics\n")
}

func TestTopicsOnPubSub(t *testing.T) {
	for key, value := range map[string]string{"PUBSUB_EMULATOR_HOST": googlecloudtest.Endpoint(t), "VISCOUNT_PROFILE": "googlecloud",
		"VISCOUNT_TRANSPORT_GOOGLECLOUD_PROJECT": "topics-test", "VISCOUNT_STORE_DRIVER": "sqlite"} {
		t.Setenv(key, value)
	}
	topicsAsCode(t)
	t.Setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
	out, _, code := run(t, "", "doctor", "--data-dir", t.TempDir())
	require.Equal(t, exitNo, code)
	require.Contains(t, out, "✗ transport googlecloud\n")
}

func TestTopicsOnPostgreSQL(t *testing.T) {
	for key, value := range map[string]string{"VISCOUNT_PROFILE": "sql", "VISCOUNT_STORE_DRIVER": "sqlite", "VISCOUNT_TRANSPORT_SQL_URL": postgrestest.Database(t)} {
		t.Setenv(key, value)
	}
	topicsAsCode(t)
}
