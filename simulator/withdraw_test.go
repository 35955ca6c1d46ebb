package simulator

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A run that is interrupted leaves no webhook behind that the platform would call in vain.
func TestAnInterruptedRunTakesItsWebhooksBack(t *testing.T) {
	kept := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			t.Error(err)
		}
		kept[q.URL.Path] = string(body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	r := &run{hooks: &receiver{}, contacts: []contact{{customer: "cust_1", channels: []string{byWebhook}}}}
	r.http = newClient(Options{URL: server.URL, SettleTimeout: time.Minute})
	defer r.http.close()
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, r.withdraw(interrupted))
	require.Contains(t, kept, "/api/v1/notifications/contacts/cust_1")
	require.NotContains(t, kept["/api/v1/notifications/contacts/cust_1"], "webhook")
}
