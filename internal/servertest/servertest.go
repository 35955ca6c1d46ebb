// Package servertest runs servers as child processes of a test, and ends them by their pid: in order, or as a power cut does.
//
// It imports no other folder.
package servertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
)

// binary builds the program once, as it is deployed: a server under the race detector is too slow to be caught at work.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "viscount-test-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "viscount")
	build := exec.CommandContext(context.Background(), "go", "build", "-o", path, "github.com/first-viscount/viscount/cmd/viscount")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	return path, build.Run()
})

// Binary is the path of the program of this source.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	require.NoError(t, err, "building the server")
	return path
}

var built string // the folder of the program, once it is built

// Clean removes the program that was built, if it was. TestMain calls it.
func Clean() {
	if built != "" {
		_ = os.RemoveAll(built) // a temporary folder
	}
}

// Server is a server that runs as a child of the test. It can be started again after it ended; its data and its address stay.
type Server struct {
	Dir  string
	Addr string
	Env  []string
	Self bool // it is the test's own binary, whose TestMain serves; otherwise the program

	Program string // path of another version of it; "" for the one of this source

	t   testing.TB
	cmd *exec.Cmd
	end *ending

	mu   sync.Mutex
	last []string // of its log, shown when the test fails
}

// ending is how a process ended, once done is closed.
type ending struct {
	done chan struct{}
	err  error
}

const (
	startTimeout = 90 * time.Second // two dozen processes may start at the same time on a small machine
	linesShown   = 40
)

// New prepares a server.
func New(t testing.TB, env ...string) *Server {
	t.Helper()
	s := &Server{t: t, Dir: t.TempDir(), Addr: "127.0.0.1:" + FreePort(t), Env: env}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("the last words of the server at %s:\n%s", s.Addr, strings.Join(s.last, "\n"))
		}
	})
	return s
}

// FreePort finds a port that stays free while its server is away: the system gives none of these to connections, which may
// otherwise connect to themselves while they knock at the door of a server that was killed.
func FreePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(12_000))
		if _, twice := given.LoadOrStore(port, true); twice { // by a server that does not listen yet
			continue
		}
		if free, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:"+port); err == nil {
			require.NoError(t, free.Close())
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

var given sync.Map // ports

// URL is where the server answers.
func (s *Server) URL() string { return "http://" + s.Addr }

// PID is the process's.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Start runs the server and returns when it says that it is ready. More environment is for this start only.
func (s *Server) Start(env ...string) {
	s.t.Helper()
	line := s.TryStart(env...)
	require.Contains(s.t, line, "ready on", "the server's first word")
}

// TryStart runs the server and answers its line that says ready, or what came instead.
func (s *Server) TryStart(env ...string) string {
	s.t.Helper()
	path, args := s.program()
	s.cmd = exec.CommandContext(context.Background(), path, args...)
	s.cmd.Env = append(append(os.Environ(), "VISCOUNT_STORE_SQLITE_DIR="+s.Dir, "VISCOUNT_HTTP_LISTEN="+s.Addr, "VISCOUNT_LOG_LEVEL=warn", "VISCOUNT_LOG_FORMAT=json"), append(s.Env, env...)...)
	logs, err := s.cmd.StderrPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, s.cmd.Start())
	ready := make(chan string, 1)
	cmd, end := s.cmd, &ending{done: make(chan struct{})}
	s.end = end
	go func() {
		defer close(end.done)
		s.read(logs, ready)
		end.err = cmd.Wait()
	}()
	select {
	case line := <-ready:
		return line
	case <-time.After(startTimeout):
		s.t.Fatalf("the server was not ready within %s", startTimeout)
		return ""
	}
}

func (s *Server) program() (path string, args []string) {
	switch {
	case s.Self:
		return os.Args[0], nil
	case s.Program != "":
		return s.Program, []string{"serve"}
	}
	return Binary(s.t), []string{"serve"}
}

// read keeps the end of the server's log for the test and finds the line that says ready.
func (s *Server) read(logs io.Reader, ready chan<- string) {
	lines := bufio.NewScanner(logs)
	lines.Buffer(nil, 1<<20)
	said := false
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "ready on") && !said {
			said = true
			ready <- lines.Text()
			continue
		}
		s.mu.Lock()
		s.last = append(s.last[max(0, len(s.last)+1-linesShown):], lines.Text())
		s.mu.Unlock()
	}
	if !said {
		ready <- "the server ended"
	}
}

// Kill ends the server as a power cut does.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	if s.cmd.Process.Signal(syscall.SIGKILL) == nil {
		<-s.end.done
	}
	s.cmd = nil
}

// Signal sends the process a signal.
func (s *Server) Signal(signal os.Signal) error { return s.cmd.Process.Signal(signal) }

// Wait returns how the process ended.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-s.end.done:
		s.cmd = nil
		return s.end.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Ended tells whether the process has ended by itself.
func (s *Server) Ended() bool {
	select {
	case <-s.end.done:
		return true
	default:
		return false
	}
}

// Stop ends the server in order.
func (s *Server) Stop(ctx context.Context) error {
	if err := s.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.Wait(ctx)
}

// Service is what /status says of a service.
type Service struct {
	Service    string  `json:"service"`
	Ready      bool    `json:"ready"`
	Pending    int64   `json:"outbox_pending"`
	InFlight   int64   `json:"in_flight"`
	Waiting    int64   `json:"waiting"`
	Retrying   int64   `json:"retrying"`
	Dead       int64   `json:"dead"`
	Applied    int64   `json:"applied"`
	Ignored    int64   `json:"ignored"`
	Duplicates int64   `json:"duplicates"`
	Lag        int64   `json:"lag_events"`
	LagSeconds float64 `json:"lag_seconds"`
}

// Status is the sum of what the server says of its services.
func (s *Server) Status() (sum Service, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	body, err := s.get(ctx, "/api/v1/status")
	if err != nil {
		return sum, err
	}
	var status struct {
		Services []Service `json:"services"`
	}
	err = json.Unmarshal(body, &status)
	sum.Ready = true
	for _, one := range status.Services {
		sum.Ready = sum.Ready && one.Ready
		sum.Pending += one.Pending
		sum.InFlight += one.InFlight
		sum.Waiting += one.Waiting
		sum.Retrying += one.Retrying
		sum.Dead += one.Dead
		sum.Applied += one.Applied
		sum.Ignored += one.Ignored
		sum.Duplicates += one.Duplicates
		sum.Lag += one.Lag
		sum.LagSeconds = max(sum.LagSeconds, one.LagSeconds)
	}
	return sum, err
}

// Degraded is what the server's readiness and status say of what works less well than it should, by path.
func (s *Server) Degraded() (map[string][]string, error) {
	said := map[string][]string{}
	for _, path := range []string{"/readyz", "/api/v1/status"} {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		body, err := s.get(ctx, path)
		cancel()
		if err != nil {
			return nil, err
		}
		var answer struct {
			Degraded []string `json:"degraded"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, err
		}
		said[path] = answer.Degraded
	}
	return said, nil
}

// Metric sums the samples whose line begins with prefix.
func (s *Server) Metric(prefix string) (sum float64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	body, err := s.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, prefix) {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, nil
}

func (s *Server) get(ctx context.Context, path string) (_ []byte, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// Memory is the process's resident memory in bytes.
func (s *Server) Memory() (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", s.PID())
}
