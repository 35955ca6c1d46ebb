package app_test

import (
	"os"
	"testing"

	"github.com/first-viscount/viscount/internal/servertest"
)

// process is a server that runs as a child of the test.
type process struct {
	*servertest.Server
	t testing.TB
}

func newProcess(t testing.TB, env ...string) *process {
	t.Helper()
	return &process{servertest.New(t, env...), t}
}

func TestMain(m *testing.M) {
	code := m.Run()
	servertest.Clean()
	os.Exit(code)
}
