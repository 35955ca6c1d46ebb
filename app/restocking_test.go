package app

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/handlers/procurement"
)

// TestWhatInventoryAnswersADelivery tells what a person must decide from what another attempt may mend.
func TestWhatInventoryAnswersADelivery(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		body    string
		age     time.Duration
		refused string
		err     string
	}{
		"taken in":                   {status: 200, body: `{}`},
		"no such product":            {status: 404, body: `{"code":"not_found","detail":"no product prod_1"}`, refused: "no product prod_1"},
		"no token":                   {status: 401, body: `{"code":"unauthenticated","detail":"send a token"}`, refused: "procurement.token"},
		"the first attempt runs":     {status: 409, body: `{"code":"idempotency_key_running","detail":"still runs"}`, err: "409 idempotency_key_running"},
		"inventory is away":          {status: 503, body: `{"code":"peer_unreachable","detail":"away"}`, err: "503 peer_unreachable: away"},
		"somebody else answers":      {status: 502, body: `<html>bad gateway</html>`, err: "502 no problem+json: <html>"},
		"the key may be out of mind": {status: 200, body: `{}`, age: keyLives + time.Minute, refused: "/api/v1/audit?reference_number=po_1"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				require.Equal(t, []string{"/api/v1/inventory/adjust", "po_1/1", "c1", "Bearer secret"},
					[]string{r.URL.Path, r.Header.Get("Idempotency-Key"), r.Header.Get("X-Correlation-ID"), r.Header.Get("Authorization")})
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			r := newRestocking(server.Listener.Addr(), "secret")
			defer r.client.CloseIdleConnections()
			answer, err := r.Restock(t.Context(), procurement.Delivery{PurchaseOrderID: "po_1", ProductID: "prod_1", LocationID: "main", Quantity: 3, Key: "po_1/1", CorrelationID: "c1", At: time.Now().Add(-c.age)})
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.refused != "", answer.Refused != "")
			require.Contains(t, answer.Refused, c.refused)
			require.Equal(t, c.age == 0, asked == 1, "after so long nobody is asked again")
		})
	}
}

func TestAProcessReachesItselfWhereverItListens(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0", ":0"} {
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", listen)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(newRestocking(listener.Addr(), "").url, "http://127.0.0.1:"), listen)
		require.NoError(t, listener.Close())
	}
}
