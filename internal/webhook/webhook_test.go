package webhook_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/handlers/notifications"
	"github.com/first-viscount/viscount/internal/webhook"
)

const recipient = "customer:cust_1"

func secret(fill string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(fill, 32)))
}

func newCaller(t *testing.T, s webhook.Settings) *webhook.Caller {
	t.Helper()
	if s.Secret == "" {
		s.Secret = secret("a")
	}
	if s.Timeout == 0 {
		s.Timeout = 5 * time.Second
	}
	c, err := webhook.New(s)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// receiver verifies what it gets with a secret, by the library of Standard Webhooks.
func receiver(t *testing.T, secret string, status int) (url string, got func() (header http.Header, body string, verified error)) {
	t.Helper()
	verifier, err := standard.NewWebhook(secret)
	require.NoError(t, err)
	var header http.Header
	var body string
	var verified error
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		header, body, verified = r.Header, string(raw), verifier.Verify(raw, r.Header)
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/hook", func() (http.Header, string, error) { return header, body, verified }
}

func TestACallIsSignedForItsRecipient(t *testing.T) {
	c := newCaller(t, webhook.Settings{PrivateAddresses: true})
	url, got := receiver(t, c.Secret(recipient), http.StatusNoContent)
	answer, err := c.Call(t.Context(), notifications.Hook{Key: "msg_1", URL: url, Recipient: recipient, Body: []byte(`{"type":"order.created"}`)})
	require.NoError(t, err)
	require.Equal(t, notifications.Answer{Sent: true}, answer)
	header, body, verified := got()
	require.NoError(t, verified)
	require.Equal(t, `{"type":"order.created"}`, body)
	require.Equal(t, "msg_1", header.Get("webhook-id"))
	require.Equal(t, "application/json", header.Get("Content-Type"))

	_, err = c.Call(t.Context(), notifications.Hook{Key: "msg_2", URL: url, Recipient: "customer:cust_2", Body: []byte(`{}`)})
	require.NoError(t, err)
	_, _, verified = got()
	require.Error(t, verified, "another recipient has another secret")
}

func TestASecretChangesWithoutAGap(t *testing.T) {
	before := newCaller(t, webhook.Settings{Secret: secret("a"), PrivateAddresses: true})
	after := newCaller(t, webhook.Settings{Secret: secret("b"), PreviousSecret: secret("a"), PrivateAddresses: true})
	require.NotEqual(t, before.Secret(recipient), after.Secret(recipient))
	for _, known := range []string{before.Secret(recipient), after.Secret(recipient)} {
		url, got := receiver(t, known, http.StatusOK)
		_, err := after.Call(t.Context(), notifications.Hook{Key: "msg_1", URL: url, Recipient: recipient, Body: []byte(`{}`)})
		require.NoError(t, err)
		_, _, verified := got()
		require.NoError(t, verified)
	}
}

func TestWhatReceiversAnswer(t *testing.T) {
	c := newCaller(t, webhook.Settings{PrivateAddresses: true, Timeout: 100 * time.Millisecond})
	call := func(url string) notifications.Answer {
		answer, err := c.Call(t.Context(), notifications.Hook{Key: "msg_1", URL: url, Recipient: recipient, Body: []byte(`{}`)})
		require.NoError(t, err)
		return answer
	}
	for status, want := range map[int]notifications.Answer{
		200: {Sent: true}, 299: {Sent: true},
		302: {Again: true, Detail: "the receiver answered 302"}, // not followed
		400: {Again: true, Detail: "the receiver answered 400"}, 503: {Again: true, Detail: "the receiver answered 503"},
		410: {Detail: "the receiver answered 410"},
	} {
		url, got := receiver(t, secret("a"), status)
		require.Equal(t, want, call(url))
		header, _, _ := got()
		require.NotNil(t, header)
	}
	stopped := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stopped }))
	t.Cleanup(slow.Close)
	t.Cleanup(func() { close(stopped) })
	gone := httptest.NewServer(nil)
	gone.Close()
	require.Equal(t, notifications.Answer{Again: true, Detail: "the receiver did not answer in time"}, call(slow.URL))
	require.Equal(t, notifications.Answer{Again: true, Detail: "the receiver refused the connection"}, call(gone.URL))
	require.Equal(t, notifications.Answer{Again: true, Detail: "the receiver's name is not known"}, call("http://nowhere.invalid/hook"))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Call(ended, notifications.Hook{Key: "msg_1", URL: slow.URL, Recipient: recipient, Body: []byte(`{}`)})
	require.ErrorIs(t, err, context.Canceled, "the process stops: no fault of the receiver, no attempt")
}

func TestStrangersReachNothingPrivate(t *testing.T) {
	reached := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer server.Close()
	c := newCaller(t, webhook.Settings{})
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
	for _, url := range []string{
		"http://example.org/hook", "ftp://example.org", "https://", "javascript:alert(1)", "file:///etc/passwd", "/hook", "https://user:pass@example.org", "https://example.org/#x",
		server.URL, "https://10.0.0.1", "https://192.168.1.1:8443/x", "https://172.16.0.1", "https://169.254.169.254/latest/meta-data", "https://0.0.0.0", "https://100.64.0.1",
		"https://[::1]", "https://[fd00::1]", "https://[fe80::1]", "https://[::ffff:127.0.0.1]", "https://[64:ff9b::7f00:1]", "https://[2002:7f00:1::]", "https://255.255.255.255",
		"https://" + strings.Repeat("a", 2048),
	} {
		require.Error(t, c.Check(url), url)
	}
	for _, url := range []string{"https://example.org/hooks?x=1", "https://93.184.216.34:8443/", "https://[2606:2800:220:1::1]"} {
		require.NoError(t, c.Check(url), url)
	}
	answer, err := c.Call(t.Context(), notifications.Hook{Key: "msg_1", URL: "https://localhost:" + port, Recipient: recipient, Body: []byte(`{}`)})
	require.NoError(t, err)
	require.Equal(t, notifications.Answer{Detail: "the URL leads to loopback or a private network (notifications.webhook.private_addresses)"}, answer, "a name that leads inside")
	require.False(t, reached)
	require.NoError(t, newCaller(t, webhook.Settings{PrivateAddresses: true}).Check("http://127.0.0.1:9000/hook"))
}
