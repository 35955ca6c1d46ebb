package app_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary builds the program once, as it is deployed: a server under the race detector is too slow to be caught at work.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "viscount-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "viscount")
	build := exec.Command("go", "build", "-o", path, "github.com/first-viscount/viscount/cmd/viscount")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	return path, build.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil && code == 0 {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// startTimeout is long, because two dozen processes may start at the same time on a small machine.
const startTimeout = 90 * time.Second

// process is a server that runs as a child of the test.
type process struct {
	t    testing.TB
	dir  string
	addr string
	env  []string
	cmd  *exec.Cmd
	done chan error

	program string // the one of this source if ""
}

func newProcess(t testing.TB, env ...string) *process {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &process{t: t, dir: t.TempDir(), addr: free.Addr().String(), env: env}
	require.NoError(t, free.Close())
	t.Cleanup(func() {
		if p.cmd != nil {
			p.kill()
		}
	})
	return p
}

func (p *process) url() string { return "http://" + p.addr }

// start runs the server and returns when it says that it is ready.
func (p *process) start() {
	p.t.Helper()
	path, err := p.program, error(nil)
	if path == "" {
		path, err = binary()
	}
	require.NoError(p.t, err, "building the server")
	p.cmd = exec.Command(path, "serve", "--data-dir", p.dir, "--listen", p.addr, "--log-level", "warn", "--log-format", "json")
	p.cmd.Env = append(os.Environ(), p.env...)
	logs, err := p.cmd.StderrPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, p.cmd.Start())
	ready := make(chan string, 1)
	cmd, done := p.cmd, make(chan error, 1)
	p.done = done
	go func() {
		p.read(logs, ready)
		done <- cmd.Wait()
	}()
	select {
	case line := <-ready:
		require.Contains(p.t, line, "ready on", "the server's first word")
	case <-time.After(startTimeout):
		p.t.Fatalf("the server was not ready within %s", startTimeout)
	}
}

// read passes the server's log on to the test and finds the line that says ready.
func (p *process) read(logs io.Reader, ready chan<- string) {
	lines := bufio.NewScanner(logs)
	lines.Buffer(nil, 1<<20)
	said := false
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "ready on") && !said {
			said = true
			ready <- lines.Text()
			continue
		}
		p.t.Log(lines.Text())
	}
	if !said {
		ready <- "the server ended"
	}
}

// kill ends the server as a power cut does.
func (p *process) kill() {
	if p.cmd.Process.Signal(syscall.SIGKILL) == nil {
		<-p.done
	}
	p.cmd = nil
}

// stop ends the server in order.
func (p *process) stop(ctx context.Context) error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	p.cmd = nil
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
