package app_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/internal/servertest"
)

func git(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-C", ".."}, args...)...).Output()
	require.NoError(t, err, "git %v: the repository's history is needed", args)
	return strings.TrimSpace(string(out))
}

// previous builds the program as it was before the newest migration of an existing PostgreSQL database was written.
func previous(t *testing.T) string {
	t.Helper()
	newest := git(t, "log", "-1", "--format=%H", "--diff-filter=A", "--",
		":(glob)**/migrations/**/0*.sql", ":(exclude,glob)**/00001_*.sql", ":(exclude,glob)**/migrations/sqlite/*")
	require.NotEmpty(t, newest, "no migration")
	source, archive := t.TempDir(), filepath.Join(t.TempDir(), "source.tar")
	git(t, "archive", "--output", archive, newest+"^")
	out, err := exec.Command("tar", "-xf", archive, "-C", source).CombinedOutput()
	require.NoError(t, err, "%s", out)
	program := filepath.Join(t.TempDir(), "viscount")
	build := exec.Command("go", "build", "-o", program, "./cmd/viscount")
	build.Dir, build.Env = source, append(os.Environ(), "CGO_ENABLED=0")
	out, err = build.CombinedOutput()
	require.NoError(t, err, "building the program before %s: %s", newest, out)
	return program
}

// sell takes an order through the whole saga and returns its id.
func sell(t *testing.T, url, name string) string {
	t.Helper()
	steps := []struct{ path, body string }{
		{"/products", `{"product_id":"%[1]s","name":"Tea","category_id":"tea","price":"3.50"}`},
		{"/inventory/adjust", `{"product_id":"%[1]s","change":5,"adjustment_type":"restock"}`},
		{"/orders", `{"order_id":"order_%[1]s","customer_id":"c","items":[{"product_id":"%[1]s","quantity":1}],"shipping_address":{"street":"s","city":"c","state":"s","zip":"z","country":"US"}}`},
	}
	for _, step := range steps {
		require.Eventually(t, func() bool { // what one service tells, another hears a moment later
			status, _ := post(t, url+"/api/v1"+step.path, fmt.Sprintf(step.body, name))
			return status/100 == 2
		}, 20*time.Second, 20*time.Millisecond, "POST %s", step.path)
	}
	return "order_" + name
}

func completed(t *testing.T, url, order string) {
	t.Helper()
	var last string
	require.Eventually(t, func() bool {
		response, err := http.Get(url + "/api/v1/orders/" + order)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		var o struct{ Status string }
		require.NoError(t, json.Unmarshal(body, &o), "%s", body)
		last = o.Status
		return o.Status == "completed"
	}, 30*time.Second, 20*time.Millisecond, "%s is completed; it is %s", order, last)
}

// Migrations run before the new processes start, and an upgrade may have to be taken back: the previous program works on the
// database that this one has migrated, before and beside this one, and each goes on with what the other began.
func TestThePreviousProgramWorksOnAMigratedDatabase(t *testing.T) {
	if os.Getenv("TEST_POSTGRES") == "" && os.Getenv("REQUIRE_BROKERS") == "" {
		t.Skip("TEST_POSTGRES names no server: run make test-brokers")
	}
	env := onPostgres(t)
	start := func(program string) *process {
		p := newProcess(t, "VISCOUNT_PROFILE=sql", "VISCOUNT_STORE_POSTGRES_URL="+env["STORE_POSTGRES_URL"], "VISCOUNT_STORE_POSTGRES_MIGRATE=check")
		p.Program = program
		p.Start()
		return p
	}
	migrate := func(program string) {
		run := exec.Command(program, "migrate", "apply")
		run.Env = append(os.Environ(), "VISCOUNT_PROFILE=sql", "VISCOUNT_STORE_POSTGRES_URL="+env["STORE_POSTGRES_URL"])
		out, err := run.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	before, now := previous(t), servertest.Binary(t)

	migrate(before)
	old := start(before)
	first := sell(t, old.URL(), "first")
	completed(t, old.URL(), first)
	migrate(now) // under the running process
	during := sell(t, old.URL(), "during")
	completed(t, old.URL(), during)
	require.NoError(t, old.Stop(t.Context()))

	old = start(before) // it starts on what it does not know
	next := start(now)
	for n := range 10 {
		one, other := sell(t, old.URL(), fmt.Sprint("old", n)), sell(t, next.URL(), fmt.Sprint("new", n))
		completed(t, next.URL(), one)
		completed(t, old.URL(), other)
	}
	require.NoError(t, next.Stop(t.Context()))
	last := sell(t, old.URL(), "back")
	completed(t, old.URL(), last)
	require.NoError(t, old.Stop(t.Context()))

	next = start(now)
	for _, order := range []string{first, during, last} {
		completed(t, next.URL(), order)
	}
	require.NoError(t, next.Stop(t.Context()))
}
