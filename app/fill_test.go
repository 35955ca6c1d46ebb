package app_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/transports/googlecloud"
	"github.com/first-viscount/viscount/transports/googlecloud/googlecloudtest"
)

// TestANewConsumerIsFilledFirst adds services to a platform that ran without them: they know what happened before, as if they had
// been there, and a missing predecessor keeps nothing waiting.
func TestANewConsumerIsFilledFirst(t *testing.T) {
	dir := t.TempDir()
	late := []string{"analytics", "customers", "accounting", "search"}
	early := []string{"catalog", "inventory", "orders", "payments", "fulfillment", "notifications", "audit", "procurement"}
	a := start(t, dir, func(o *app.Options) {
		o.Config.Services, o.Driver.Capabilities.BetweenProcesses = early, true // as a driver does that joins processes
	})
	crowd(t, a, 60, 5)
	stop(t, a)

	a = start(t, dir, nil)
	was := map[string][]string{}
	for _, s := range rebuildable(a) {
		require.Contains(t, late, s.Name())
		was[s.Name()] = rowsOf(t, s.Store(), s.Consumer().Rebuild.Tables)
		require.NotEmpty(t, was[s.Name()], s.Name())
		answer := rebuild(t, a, s.Name(), "{}")
		require.Equal(t, router.RebuildDone, answer["state"], "%v", answer)
		requireSame(t, was[s.Name()], rowsOf(t, s.Store(), s.Consumer().Rebuild.Tables), s.Name()+" filled like rebuilt")
	}
	status, answer := call(t, a, http.MethodGet, "/status", "")
	require.Equal(t, http.StatusOK, status)
	for _, one := range answer["services"].([]any) {
		require.Zero(t, one.(map[string]any)["waiting"], "%v", one)
	}
	crowd(t, a, 20, 6)
	stop(t, a)
}

// TestFilledAndRebuiltFromOutboxesOfOtherProcesses: a service in a process of its own gets what other processes recorded, when it
// is new and when it is rebuilt, whichever process is asked to.
func TestFilledAndRebuiltFromOutboxesOfOtherProcesses(t *testing.T) {
	endpoint := googlecloudtest.Fake(t)
	address := map[string]string{"catalog": freeAddress(t), "search": freeAddress(t)}
	begin := func(service string) *app.App {
		return start(t, t.TempDir(), func(o *app.Options) {
			o.Driver, o.Config.Transport.Driver = googlecloud.Driver, "googlecloud"
			o.Config.Transport.GoogleCloud.Project, o.Config.Transport.GoogleCloud.Endpoint = "test", endpoint
			o.Config.Services, o.Config.HTTP.Listen, o.Config.HTTP.Peers = []string{service}, address[service], map[string][]string{}
			for name, at := range address {
				if name != service {
					o.Config.HTTP.Peers[name] = []string{"http://" + at}
				}
			}
		})
	}
	catalog := begin("catalog")
	defer stop(t, catalog)
	for i := range 300 { // more than a page of a peer's
		status, answer := call(t, catalog, http.MethodPost, "/products", fmt.Sprintf(`{"product_id":"prod_%d","name":"Kettle","category_id":"things","price":"3.50"}`, i))
		require.Equal(t, http.StatusCreated, status, "%v", answer)
	}
	search := begin("search")
	defer stop(t, search)
	s := search.Services()[0]
	tables := s.Consumer().Rebuild.Tables
	was := rowsOf(t, s.Store(), tables)
	_, found := call(t, catalog, http.MethodGet, "/search?q=kettle", "")
	require.Equal(t, 300.0, found["total"], "filled before it was ready")

	forget(t, s, "DELETE FROM "+tables[0])
	answer := rebuild(t, catalog, "search", "{}")
	require.Equal(t, router.RebuildDone, answer["state"], "%v", answer)
	requireSame(t, was, rowsOf(t, s.Store(), tables), "rebuilt, asked at another process")
}

// TestANewServiceAsksItsPeersWithATokenOfItsOwn: no caller's request is there whose token it could pass on.
func TestANewServiceAsksItsPeersWithATokenOfItsOwn(t *testing.T) {
	endpoint, address := googlecloudtest.Fake(t), freeAddress(t)
	tokens := filepath.Join(t.TempDir(), "tokens.yaml")
	writeTokens(t, tokens, map[string]config.Token{"of search": {Name: "search", Role: "viewer"}, "of anna": {Name: "anna", Role: "operator"}})
	begin := func(change func(*app.Options)) *app.App {
		return start(t, t.TempDir(), func(o *app.Options) {
			o.Driver, o.Config.Transport.Driver = googlecloud.Driver, "googlecloud"
			o.Config.Transport.GoogleCloud.Project, o.Config.Transport.GoogleCloud.Endpoint = "test", endpoint
			change(o)
		})
	}
	catalog := begin(func(o *app.Options) {
		o.Config.Services, o.Config.HTTP.Listen, o.Config.HTTP.Auth.TokensFile = []string{"catalog"}, address, tokens
	})
	defer stop(t, catalog)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, catalog.URL()+"/api/v1/products", strings.NewReader(`{"name":"Kettle","category_id":"things","price":"3.50"}`))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer of anna")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusCreated, response.StatusCode)

	search := func(token string) (found any, logged string) {
		log := &journal{}
		a := begin(func(o *app.Options) {
			o.Config.Services, o.Config.HTTP.Peers, o.Config.HTTP.PeerToken = []string{"search"}, map[string][]string{"catalog": {"http://" + address}}, token
			o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError}))
		})
		defer stop(t, a)
		_, answer := call(t, a, http.MethodGet, "/search?q=kettle", "")
		return answer["total"], strings.Join(log.lines(), "\n")
	}
	_, logged := search("")
	require.Contains(t, logged, "send a token")
	require.Contains(t, logged, "http.peer_token")
	_, logged = search("of nobody")
	require.Contains(t, logged, "http.peer_token")
	found, logged := search("of search")
	require.Empty(t, logged)
	require.Equal(t, 1.0, found)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}
