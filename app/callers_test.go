package app_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/gochannel"
)

func writeTokens(t *testing.T, file string, tokens map[string]config.Token) {
	t.Helper()
	text := "tokens:\n"
	for token, one := range tokens {
		sum := sha256.Sum256([]byte(token))
		one.SHA256 = hex.EncodeToString(sum[:])
		text += one.Entry()
	}
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

// TestTokensComeAndGoWhileTheServerRuns: the file is read again when it changes; a file that cannot be read changes nothing.
func TestTokensComeAndGoWhileTheServerRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.yaml")
	writeTokens(t, file, map[string]config.Token{"first": {Name: "olga", Role: "operator"}})
	loaded, err := config.Load(config.Source{Flags: map[string]string{"store.sqlite.dir": t.TempDir(), "http.listen": "127.0.0.1:0", "http.auth.tokens_file": file}})
	require.NoError(t, err)
	a, err := app.Start(t.Context(), app.Options{Config: loaded.Config, Driver: gochannel.Driver, Platform: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Stop(context.Background())) })
	ask := func(token string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL()+"/api/v1/status", nil)
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
	status, _ := ask("first")
	require.Equal(t, http.StatusOK, status)
	status, _ = ask("second")
	require.Equal(t, http.StatusUnauthorized, status)

	writeTokens(t, file, map[string]config.Token{"second": {Name: "vic", Role: "viewer"}})
	require.Eventually(t, func() bool { status, _ := ask("second"); return status == http.StatusOK }, 10*time.Second, 20*time.Millisecond)
	status, _ = ask("first")
	require.Equal(t, http.StatusUnauthorized, status, "a token that was taken out is worth nothing")

	require.NoError(t, os.WriteFile(file, []byte("tokens: [{name: vic}]"), 0o600))
	require.Eventually(t, func() bool {
		status, body := ask("second")
		return status == http.StatusOK && strings.Contains(body, "the tokens that were read before stand") && strings.Contains(body, "tokens.yaml:1: role")
	}, 10*time.Second, 20*time.Millisecond)
	require.NoError(t, os.Remove(file))
	require.Eventually(t, func() bool { _, body := ask("second"); return strings.Contains(body, "no such file") }, 10*time.Second, 20*time.Millisecond)
	writeTokens(t, file, map[string]config.Token{"second": {Name: "vic", Role: "viewer"}})
	require.Eventually(t, func() bool { _, body := ask("second"); return strings.Contains(body, `"degraded":[]`) }, 10*time.Second, 20*time.Millisecond)
}
