package app_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/simulator"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/store/postgrestest"
)

// rebuildable are the services of a platform whose projections can be filled again.
func rebuildable(a *app.App) (services []*router.Service) {
	for _, s := range a.Services() {
		if len(s.Consumer().Rebuild.Tables) > 0 {
			services = append(services, s)
		}
	}
	return services
}

// rowsOf reads a service's projection, a line per row.
func rowsOf(t testing.TB, st *store.Store, tables []string) (lines []string) {
	t.Helper()
	require.NoError(t, st.View(t.Context(), func(ctx context.Context, r store.Reader) error {
		for _, table := range tables {
			found, err := linesOf(ctx, r, table)
			if err != nil {
				return err
			}
			lines = append(lines, found...)
		}
		return nil
	}))
	slices.Sort(lines)
	return lines
}

func linesOf(ctx context.Context, r store.Reader, table string) (lines []string, err error) {
	rows, err := r.Query(ctx, "SELECT * FROM "+table)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // read to the end below
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		lines = append(lines, fmt.Sprint(table, " ", columns, " ", values))
	}
	return lines, rows.Err()
}

// requireSame compares two projections, and shows the first rows that differ.
func requireSame(t testing.TB, want, got []string, what string) {
	t.Helper()
	if slices.Equal(want, got) {
		return
	}
	for _, line := range want {
		if _, found := slices.BinarySearch(got, line); !found {
			t.Errorf("%s: missing %s", what, line)
			break
		}
	}
	for _, line := range got {
		if _, found := slices.BinarySearch(want, line); !found {
			t.Errorf("%s: unexpected %s", what, line)
			break
		}
	}
	t.Fatalf("%s: %d rows instead of %d", what, len(got), len(want))
}

// rebuild fills a service's projection again, through the API, and waits for the end.
func rebuild(t *testing.T, a *app.App, service, body string) map[string]any {
	t.Helper()
	path := "/consumers/" + service + "/rebuild"
	status, answer := call(t, a, http.MethodPost, path, body)
	require.Equal(t, http.StatusAccepted, status, "%v", answer)
	id := answer["id"]
	for still, since := answer, time.Now(); ; time.Sleep(10 * time.Millisecond) { // as long as it gets on: a busy machine takes its time
		status, answer = call(t, a, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, status, "%v", answer)
		if answer["id"] == id && answer["state"] != router.RebuildFilling && answer["state"] != router.RebuildReplacing {
			break
		}
		if answer["done"] != still["done"] || answer["state"] != still["state"] {
			still, since = answer, time.Now()
		}
		require.Less(t, time.Since(since), time.Minute, "it stands still: %v", answer)
	}
	return answer
}

// crowd sends the simulator's shoppers and waits until every event has ended.
func crowd(t *testing.T, a *app.App, orders int, seed uint64) {
	t.Helper()
	report, err := simulator.Run(t.Context(), simulator.Options{URL: a.URL(), Orders: orders, Seed: seed, Products: 20, SettleTimeout: time.Minute})
	require.NoError(t, err)
	for _, i := range report.Invariants {
		assert.True(t, i.Held, "%s: %s", i.Name, i.Detail)
	}
	quiet(t, a)
}

func quiet(t *testing.T, a *app.App) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, status := call(t, a, http.MethodGet, "/status", "")
		for _, one := range status["services"].([]any) {
			s := one.(map[string]any)
			if s["outbox_pending"].(float64)+s["in_flight"].(float64)+s["lag_events"].(float64)+s["waiting"].(float64)+s["retrying"].(float64) > 0 {
				return false
			}
		}
		return true
	}, time.Minute, 20*time.Millisecond)
}

func TestARebuildMendsAProjectionAndLosesNothingMeanwhile(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { mends(t, start(t, t.TempDir(), nil)) })
	t.Run("postgres", func(t *testing.T) {
		url := postgrestest.Database(t)
		mends(t, start(t, t.TempDir(), func(o *app.Options) {
			o.Config.Store.Driver, o.Config.Store.Postgres.URL, o.Config.Store.Postgres.Migrate = "postgres", url, "apply"
		}))
	})
}

func mends(t *testing.T, a *app.App) {
	defer stop(t, a)
	crowd(t, a, 150, 7)
	for _, s := range rebuildable(a) {
		tables := s.Consumer().Rebuild.Tables
		was := rowsOf(t, s.Store(), tables)
		require.NotEmpty(t, was, s.Name())
		require.NoError(t, s.Store().Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM "+tables[0])
			return err
		}))
		answer := rebuild(t, a, s.Name(), "{}")
		require.Equal(t, router.RebuildDone, answer["state"], "%s: %v", s.Name(), answer)
		require.Equal(t, answer["total"], answer["done"])
		requireSame(t, was, rowsOf(t, s.Store(), tables), s.Name()+" rebuilt")
	}

	busy := make(chan struct{})
	go func() {
		defer close(busy)
		crowd(t, a, 150, 8)
	}()
	for _, s := range rebuildable(a) { // while events arrive
		answer := rebuild(t, a, s.Name(), "{}")
		require.Equal(t, router.RebuildDone, answer["state"], "%s: %v", s.Name(), answer)
	}
	<-busy
	for _, s := range rebuildable(a) {
		live := rowsOf(t, s.Store(), s.Consumer().Rebuild.Tables)
		rebuild(t, a, s.Name(), "{}")
		requireSame(t, live, rowsOf(t, s.Store(), s.Consumer().Rebuild.Tables), s.Name()+" after a rebuild under load")
	}
}

func TestWhatCannotBeRebuiltSaysWhy(t *testing.T) {
	a := start(t, t.TempDir(), nil)
	defer stop(t, a)
	for _, s := range a.Services() {
		if len(s.Consumer().Rebuild.Tables) > 0 {
			continue
		}
		status, answer := call(t, a, http.MethodPost, "/consumers/"+s.Name()+"/rebuild", "{}")
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Equal(t, "not_rebuildable", answer["code"])
		require.True(t, strings.HasPrefix(answer["detail"].(string), s.Name()+" cannot be rebuilt: "), answer["detail"])
		require.NotContains(t, answer["detail"], "declares no Rebuild", "each of the platform's services says why")
	}
}
