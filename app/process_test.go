package app_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/first-viscount/viscount/internal/servertest"
	"github.com/first-viscount/viscount/store/postgrestest"
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

// telling has staff told, by e-mail and webhook, and customers by webhook too. A mail of a profile without a mailer is skipped,
// and stands among the messages all the same.
func telling(t *testing.T) map[string]string {
	staff := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(staff.Close)
	return map[string]string{
		"NOTIFICATIONS_STAFF_EMAILS": "staff@example.org,stock@example.org", "NOTIFICATIONS_STAFF_WEBHOOK": staff.URL,
		"NOTIFICATIONS_WEBHOOK_SECRET": "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "NOTIFICATIONS_WEBHOOK_PRIVATE_ADDRESSES": "true",
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	servertest.Clean()
	postgrestest.Stop()
	os.Exit(code)
}
