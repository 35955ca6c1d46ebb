package deploycheck

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	root   = "../.."
	folder = root + "/deploy"
	nobody = "65532"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path)) // only a temporary folder
	}
	os.Exit(code)
}

// program builds the program once.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "viscount-deploy-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "viscount")
	build := exec.Command("go", "build", "-o", path, "./cmd/viscount")
	build.Dir, build.Stderr = root, os.Stderr
	return path, build.Run()
})

// accepts lets the program judge the environment of a container. Files below /run/secrets are made up, if they are mounted.
func accepts(t *testing.T, env map[string]string, mounted []string) {
	t.Helper()
	path, err := program()
	require.NoError(t, err)
	if env["VISCOUNT_HTTP_AUTH_TOKENS_FILE"] != "" && env["VISCOUNT_SERVICES"] == "procurement" {
		require.Contains(t, env, "VISCOUNT_PROCUREMENT_TOKEN_FILE", "inventory takes no goods from who has no token")
	}
	check := exec.Command(path, "config", "check")
	for name, value := range env {
		if !strings.HasPrefix(name, "VISCOUNT_") {
			continue
		}
		if strings.HasPrefix(value, "/run/secrets/") {
			require.Contains(t, mounted, value, name)
			value = secret(t, path, filepath.Base(value))
		}
		check.Env = append(check.Env, name+"="+value)
	}
	out, err := check.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// secret makes up a file of a secret, as deploy/README.md says.
func secret(t *testing.T, program, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if name == "tokens" {
		out, err := exec.Command(program, "token", "create", "somebody", "--role", "admin", "--file", file).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return file
	}
	require.NoError(t, os.WriteFile(file, []byte("secret"), 0o600))
	return file
}

// TestAWrongSettingIsRefused names a setting that does not exist: what accepts is no formality.
func TestAWrongSettingIsRefused(t *testing.T) {
	path, err := program()
	require.NoError(t, err)
	check := exec.Command(path, "config", "check")
	check.Env = []string{"VISCOUNT_TRANSPORT_KAFKA_BROKER=kafka:9092"}
	out, err := check.CombinedOutput()
	require.Error(t, err, "%s", out)
}
