package api

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
)

// guarded is a server that runs no service, with a token of every role.
func guarded(t *testing.T) *Server {
	t.Helper()
	nowhere, err := url.Parse("http://127.0.0.1:1")
	require.NoError(t, err)
	s := New(Options{
		Peers:     []Peer{{"catalog", "product-catalog-service", []*url.URL{nowhere}}, {"payments", "payment-service", []*url.URL{nowhere}}},
		Catalogue: events.Platform(), MaxBody: 1 << 20, Metrics: http.NotFoundHandler(), Debug: http.NotFoundHandler(),
		Platform: everyService(),
		Callers: func(token string) (Caller, bool) {
			callers := map[string]Caller{
				"v": {Name: "vic", Role: Viewer}, "p": {Name: "till", Role: Publisher, Sources: []string{"product-catalog-service"}},
				"o": {Name: "olga", Role: Operator}, "a": {Name: "ada", Role: Admin}, "ap": {Name: "app", Role: Admin, Sources: []string{"product-catalog-service"}},
			}
			caller, known := callers[token]
			return caller, known
		},
	})
	s.CloseStreams() // so that a stream ends at once
	return s
}

func (s *Server) answered(t *testing.T, method, path, token, body string) (status int, p problemBody, header http.Header) {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, request)
	if strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") {
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	}
	return w.Code, p, w.Header()
}

var placeholder = regexp.MustCompile(`:[a-z_]+`)

// TestWhoMayUseWhat walks the table of endpoints with a token of every role.
func TestWhoMayUseWhat(t *testing.T) {
	s := guarded(t)
	mayUse := map[string][]Role{ // by token: what is open to it
		"v": {Viewer, Process}, "p": {Publisher}, "o": {Viewer, Process, Operator}, "a": {Viewer, Process, Operator, Admin}, "ap": {Viewer, Process, Operator, Admin, Publisher},
	}
	places := []endpoint{}
	for _, e := range s.endpoints() {
		e.path = "/api/v1" + placeholder.ReplaceAllString(e.path, "x")
		places = append(places, e)
	}
	require.Greater(t, len(places), 29)
	places = append(places, endpoint{method: "GET", path: "/metrics", role: Viewer}, endpoint{method: "GET", path: "/debug/pprof/heap", role: Admin})
	for _, e := range places {
		name := e.method + " " + e.path
		status, p, header := s.answered(t, e.method, e.path, "", "")
		require.Equal(t, http.StatusUnauthorized, status, "%s without a token", name)
		require.Equal(t, codeUnauthenticated, p.Code, name)
		require.Contains(t, header.Get("WWW-Authenticate"), "Bearer", name)
		status, _, _ = s.answered(t, e.method, e.path, "mistyped", "")
		require.Equal(t, http.StatusUnauthorized, status, "%s with an unknown token", name)
		for token, roles := range mayUse {
			status, p, _ := s.answered(t, e.method, e.path, token, "")
			if slices.Contains(roles, e.role) {
				require.NotContains(t, []int{401, 403}, status, "%s with token %s: %s", name, token, p.Detail)
			} else {
				require.Equal(t, http.StatusForbidden, status, "%s with token %s", name, token)
				require.Equal(t, codeForbidden, p.Code, name)
				require.NotContains(t, p.Detail, "Bearer", name)
			}
		}
	}
	table := []string{"GET /livez", "GET /readyz", "GET /contracts/*page", "GET /metrics", "GET /debug/pprof/*profile"}
	for _, e := range s.endpoints() {
		table = append(table, e.method+" /api/v1"+e.path)
	}
	var served []string
	for _, route := range s.engine.Routes() {
		served = append(served, route.Method+" "+route.Path)
	}
	require.ElementsMatch(t, table, served, "nothing is served beside the table and what this test names")
	for _, probe := range []string{"/livez", "/readyz"} {
		status, _, _ := s.answered(t, "GET", probe, "", "")
		require.Equal(t, http.StatusOK, status, "probes need no token")
	}
}

// TestPersonalDataIsForAdmins: the endpoint is for viewers, its unmask is not.
func TestPersonalDataIsForAdmins(t *testing.T) {
	s := guarded(t)
	for token, may := range map[string]bool{"v": false, "o": false, "a": true} {
		status, p, _ := s.answered(t, "GET", "/api/v1/dead-letters/payments-1?unmask=true&reason=r", token, "")
		if may {
			require.NotContains(t, []int{401, 403}, status, "token %s: %s", token, p.Detail)
			continue
		}
		require.Equal(t, http.StatusForbidden, status, "token %s", token)
		require.Equal(t, codeForbidden, p.Code)
	}
}

// TestTheTableAsksForTheRolesOfTheDesign: reading is for viewers, changing for operators, with few exceptions.
func TestTheTableAsksForTheRolesOfTheDesign(t *testing.T) {
	exceptions := map[string]Role{
		"POST /events": Publisher, "POST /dead-letters/discard": Admin,
		"DELETE /customers/:id/personal-data": Admin, "POST /peers/erase": Admin,
		"GET /notifications/contacts/:id": Admin, "GET /notifications/secrets/:recipient": Admin,
	}
	for _, e := range guarded(t).endpoints() {
		want, ok := exceptions[e.method+" "+e.path]
		switch {
		case ok:
		case strings.HasPrefix(e.path, "/peers/"):
			want = Process
		case e.method == http.MethodGet:
			want = Viewer
		default:
			want = Operator
		}
		require.Equal(t, want, e.role, "%s %s", e.method, e.path)
	}
}

func TestATokenPublishesForItsOwnSourcesOnly(t *testing.T) {
	s := guarded(t)
	event := func(source, eventType, data string) string {
		return `{"event_id":"550e8400-e29b-41d4-a716-446655440000","correlation_id":"c","timestamp":"2026-01-15T12:00:00Z","source_service":"` + source + `","event_version":"1.0","event_type":"` + eventType + `","data":` + data + `}`
	}
	refused := event("payment-service", "payment.failed", `{"order_id":"o1","reason":"declined","amount":"1.00","currency":"USD","failed_at":"2026-01-15T12:00:00Z"}`)
	own := event("product-catalog-service", "product.deleted", `{"product_id":"p1"}`)
	for _, token := range []string{"p", "ap"} {
		status, p, _ := s.answered(t, "POST", "/api/v1/events", token, "["+own+","+refused+"]")
		require.Equal(t, http.StatusForbidden, status)
		require.Equal(t, string(events.WrongPublisher), p.Code)
		require.Len(t, p.Errors, 1)
		require.Equal(t, 1, *p.Errors[0].Index)
		require.Contains(t, p.Errors[0].Detail, "may publish for product-catalog-service, not for payment-service")
		status, p, _ = s.answered(t, "POST", "/api/v1/events", token, own)
		require.Equal(t, codePeerUnreachable, p.Code, "it was let through: %s", p.Detail)
		require.Equal(t, http.StatusServiceUnavailable, status)
	}
}
