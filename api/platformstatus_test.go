package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
)

// instanceOf answers as an instance of orders, and tells which name it was asked by.
func instanceOf(t *testing.T, address, id string, hosts chan<- string) *httptest.Server {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts <- r.Host
		fmt.Fprintf(w, `{"profile":"kafka","instance":%q,"degraded":["%s lost its transport"],"services":[{"service":"orders","ready":true,"in_flight":3,"applied":40,"owed":{"events":5,"oldest_seconds":2}}]}`, id, id)
	}))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return server
}

// TestStatusAsksEachAddressOfAName: two processes behind one name, as behind a headless Service of Kubernetes.
func TestStatusAsksEachAddressOfAName(t *testing.T) {
	hosts := make(chan string, 2)
	first := instanceOf(t, "127.0.0.1:0", "a", hosts)
	_, port, err := net.SplitHostPort(first.Listener.Addr().String())
	require.NoError(t, err)
	second := instanceOf(t, "127.0.0.2:"+port, "b", hosts)
	name, err := url.Parse("http://viscount-orders.invalid:" + port)
	require.NoError(t, err)
	s := New(Options{Peers: []Peer{{"orders", "order-service", []*url.URL{name}}}, Catalogue: events.Platform(), Platform: everyService()})
	known := map[string][]netip.Addr{
		"ip4": {netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2")},
		"ip6": {netip.MustParseAddr("::1"), netip.MustParseAddr("::2")}, // nobody answers there
	}
	s.lookup = func(_ context.Context, network, host string) ([]netip.Addr, error) {
		assert.Equal(t, name.Hostname(), host)
		if len(known[network]) == 0 {
			return nil, errors.New("no such host")
		}
		return known[network], nil
	}
	status := func() (answer Status) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/v1/status", nil))
		raw, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &answer), "%s", raw)
		require.Len(t, answer.Services, 1)
		return answer
	}

	both := status()
	require.Equal(t, []string{"a lost its transport", "b lost its transport"}, both.Degraded)
	require.EqualValues(t, 6, both.Services[0].InFlight)
	require.EqualValues(t, 10, both.Services[0].LagEvents, "what the transport holds for each")
	require.EqualValues(t, 40, both.Services[0].Applied, "of the database, which they share")
	require.Equal(t, []string{name.Host, name.Host}, []string{<-hosts, <-hosts}, "a server of many names knows which is meant")

	second.Close()
	one := status()
	require.EqualValues(t, 3, one.Services[0].InFlight)
	require.Len(t, one.Degraded, 2)
	require.Contains(t, one.Degraded[1], "127.0.0.2:"+port)

	delete(known, "ip4") // a cluster of the other family
	require.Len(t, status().Degraded, 2)
	delete(known, "ip6")
	nowhere := status()
	require.Len(t, nowhere.Degraded, 1)
	require.Contains(t, nowhere.Degraded[0], "service orders was not reached at "+name.String())
}
