package app_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/search"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// ask sends a request to a server that may just have been killed.
func (p *process) ask(method, path, contentType, body string) (status int, answer map[string]any, err error) {
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.URL()+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", contentType)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	return response.StatusCode, answer, err
}

// publishProducts has products created by another system, many in a request.
func (p *process) publishProducts(n int) {
	p.t.Helper()
	var lines strings.Builder
	for i := range n {
		raw, err := events.Encode(events.Envelope{
			EventID: uuid.Must(uuid.NewV7()), CorrelationID: "import", Timestamp: time.Now().UTC(), SourceService: events.CatalogService, EventVersion: "1.0", EventType: "product.created",
		}, events.ProductCreated{ProductID: fmt.Sprintf("prod_%06d", i), Name: fmt.Sprintf("Product number %d", i), CategoryID: "things", Price: events.Money(100 + i), IsActive: true})
		require.NoError(p.t, err)
		lines.Write(raw)
		lines.WriteByte('\n')
		if lines.Len() > 200_000 || i == n-1 {
			status, answer, err := p.ask(http.MethodPost, "/events", "application/x-ndjson", lines.String())
			require.NoError(p.t, err)
			require.Equal(p.t, http.StatusAccepted, status, "%v", answer)
			lines.Reset()
		}
	}
}

// projection opens the search database of a server that does not run, and reads what it would answer from.
func (p *process) projection(postgres string) []string {
	p.t.Helper()
	o := store.Options{Service: "search", Dir: p.Dir, Migrations: search.Migrations, Catalogue: events.Platform()}
	o.Postgres.URL = postgres
	st, err := store.Open(p.t.Context(), o)
	require.NoError(p.t, err)
	defer func() { require.NoError(p.t, st.Close()) }()
	return rowsOf(p.t, st, search.Projection)
}

// shadowed tells whether a database that search is rebuilt in is there.
func (p *process) shadowed(postgres string) (there bool) {
	p.t.Helper()
	if postgres == "" {
		_, err := os.Stat(filepath.Join(p.Dir, "search_rebuild.db"))
		return err == nil
	}
	conn, err := pgx.Connect(p.t.Context(), postgres)
	require.NoError(p.t, err)
	require.NoError(p.t, conn.QueryRow(p.t.Context(), "SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'search_rebuild')").Scan(&there))
	require.NoError(p.t, conn.Close(p.t.Context()))
	return there
}

// TestKilledInTheMiddleOfARebuild ends the server like a power cut while it rebuilds, five times, each time further on.
func TestKilledInTheMiddleOfARebuild(t *testing.T) {
	t.Run("local", func(t *testing.T) { killedRebuilding(t, "local", nil) })
	t.Run("sql", func(t *testing.T) { killedRebuilding(t, "sql", profiles["sql"](t)) })
}

func killedRebuilding(t *testing.T, profile string, env map[string]string) {
	const products, kills, path = 4000, 5, "/consumers/search/rebuild"
	p, postgres := newProcess(t, environment(profile, env)...), env["STORE_POSTGRES_URL"]
	p.Start()
	p.publishProducts(products)
	require.Eventually(t, func() bool { n, err := p.work(); return err == nil && n == 0 }, time.Minute, 20*time.Millisecond)
	require.NoError(t, p.Stop(t.Context()))
	old := p.projection(postgres)
	require.Greater(t, len(old), products)

	for kill := range kills {
		p.Start()
		status, answer, err := p.ask(http.MethodPost, path, "application/json", "{}")
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, status, "%v", answer)
		require.True(t, p.shadowed(postgres))
		_, found, err := p.ask(http.MethodGet, "/search?limit=1", "", "") // without words everything is counted
		require.NoError(t, err)
		require.Equal(t, float64(products), found["total"], "the old projection answers meanwhile")
		time.Sleep(time.Duration(kill) * 100 * time.Millisecond) // not a wait for anything: further on, each time
		_, answer, err = p.ask(http.MethodGet, path, "", "")
		require.NoError(t, err)
		require.Contains(t, []any{router.RebuildFilling, router.RebuildReplacing}, answer["state"], "kill %d came too late", kill+1)
		p.Kill()
		requireSame(t, old, p.projection(postgres), fmt.Sprintf("the old projection after kill %d", kill+1))

		p.Start()
		require.Eventually(t, func() bool { return !p.shadowed(postgres) }, 10*time.Second, 10*time.Millisecond, "the next start clears away")
		require.Eventually(t, func() bool {
			_, answer, err = p.ask(http.MethodGet, path, "", "")
			return err == nil && answer["state"] == router.RebuildInterrupted
		}, 10*time.Second, 10*time.Millisecond)
		require.NoError(t, p.Stop(t.Context()))
	}

	p.Start()
	_, _, err := p.ask(http.MethodPost, path, "application/json", "{}")
	require.NoError(t, err)
	var answer map[string]any
	require.Eventually(t, func() bool {
		_, answer, err = p.ask(http.MethodGet, path, "", "")
		return err == nil && answer["state"] == router.RebuildDone
	}, time.Minute, 20*time.Millisecond, "%v", &answer)
	require.NoError(t, p.Stop(t.Context()))
	requireSame(t, old, p.projection(postgres), "the rebuilt projection")
}
