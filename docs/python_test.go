// Package docs_test runs what the documents show, word for word.
package docs_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/store/postgrestest"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// blocks are a document's code: shell blocks in order, Python programs by the name that stands before them.
func blocks(t *testing.T, path string) (shell []string, python map[string]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	python = map[string]string{}
	for _, found := range regexp.MustCompile("(?s)(?:`([a-z_]+\\.py)`:\n\n)?```(sh|python)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if found[2] == "sh" {
			shell = append(shell, found[3])
			continue
		}
		require.NotEmpty(t, found[1], "a program has no name: %s", found[3])
		python[found[1]] = found[3]
	}
	return shell, python
}

// output is what a program wrote so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// folder is a checkout's folder as the document wants it: the package, the binary, the addresses of the servers.
type folder struct {
	t   *testing.T
	dir string
	env []string
	url string // of the platform that serves
}

func newFolder(t *testing.T, brokers, database string) *folder {
	t.Helper()
	f := &folder{t: t, dir: t.TempDir()}
	require.NoError(t, os.CopyFS(filepath.Join(f.dir, "python"), os.DirFS("../python")))
	require.NoError(t, os.MkdirAll(filepath.Join(f.dir, "bin/brokers"), 0o755))
	build, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(f.dir, "bin/viscount"), "../cmd/viscount").CombinedOutput()
	require.NoError(t, err, "%s", build)
	env := "export TEST_KAFKA=" + brokers + "\nexport TEST_POSTGRES='" + database + "'\n"
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, "bin/brokers/env"), []byte(env), 0o644))
	f.env = append(os.Environ(), "VISCOUNT_HTTP_LISTEN=127.0.0.1:0", "KAFKA_BROKERS="+brokers, "DATABASE_URL="+database)
	return f
}

var readyLine = regexp.MustCompile(`ready on (http://\S+)`)

// serve starts the platform and tells the other programs its address, which no other process could take in between.
func (f *folder) serve(text string) {
	f.t.Helper()
	serving, _ := f.start("bash", "-ec", text)
	require.Eventually(f.t, func() bool { return readyLine.MatchString(serving.String()) }, 2*time.Minute, 50*time.Millisecond)
	f.url = readyLine.FindStringSubmatch(serving.String())[1]
	f.env = append(f.env, "VISCOUNT_URL="+f.url)
}

// start runs a program in a process group of its own, until the test ends: then the whole group, before its folder goes.
func (f *folder) start(name string, args ...string) (*output, func() error) {
	f.t.Helper()
	out := &output{}
	cmd := exec.CommandContext(context.WithoutCancel(f.t.Context()), name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = f.dir, f.env, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(f.t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	f.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(40 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		if f.t.Failed() {
			f.t.Logf("%s %s wrote:\n%s", name, strings.Join(args, " "), out)
		}
	})
	return out, func() error {
		err := <-ended
		ended <- err
		return err
	}
}

func (f *folder) run(name string, args ...string) string {
	f.t.Helper()
	out, wait := f.start(name, args...)
	require.NoError(f.t, wait(), "%s", out)
	return out.String()
}

func TestThePythonPageAsItStands(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not on the PATH")
	}
	brokers := kafkatest.Named(t)
	if brokers == nil || os.Getenv("TEST_POSTGRES") == "" {
		t.Skip("TEST_KAFKA and TEST_POSTGRES name no servers: run make test-brokers")
	}
	kafkatest.Reset(t, brokers)
	shell, python := blocks(t, "python.md")
	require.Len(t, shell, 2)
	require.Len(t, python, 5)
	f := newFolder(t, strings.Join(brokers, ","), postgrestest.Database(t))
	began := time.Now()
	f.run("bash", "-ec", shell[0])
	for name, text := range python {
		require.NoError(t, os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o644))
	}
	f.serve(shell[1])

	overHTTP, _ := f.start(".venv/bin/python", "consume_http.py")
	require.Contains(t, f.run(".venv/bin/python", "publish_http.py"), "202 ")
	require.Eventually(t, func() bool { return strings.Contains(overHTTP.String(), "heard over HTTP: prod_http 24.99\n") }, 2*time.Minute, 50*time.Millisecond)
	t.Logf("from nothing to a published and a consumed event: %.1f s", time.Since(began).Seconds())

	overKafka, _ := f.start(".venv/bin/python", "consume_kafka.py")
	require.Contains(t, f.run(".venv/bin/python", "publish_kafka.py"), "to product-catalog.product.created.v1")
	require.Contains(t, f.run(".venv/bin/python", "publish_outbox.py"), "committed ")
	for _, line := range []string{"prod_http 24.99", "prod_kafka 4.50", "prod_outbox 9.99"} {
		require.Eventually(t, func() bool {
			return strings.Contains(overKafka.String(), "heard over Kafka: "+line+" caused by nothing\n")
		}, 2*time.Minute, 50*time.Millisecond, line)
		product, _, _ := strings.Cut(line, " ")
		require.Eventually(t, func() bool { return f.get("/api/v1/inventory/"+product) == http.StatusOK }, 2*time.Minute, 50*time.Millisecond, "inventory does not know %s", product)
	}
	require.NotContains(t, overKafka.String(), "refused")
	for _, line := range []string{"prod_kafka 4.50", "prod_outbox 9.99"} { // on Kafka the stream reads the topics
		require.Eventually(t, func() bool { return strings.Contains(overHTTP.String(), "heard over HTTP: "+line+"\n") }, 2*time.Minute, 50*time.Millisecond, line)
	}
}

func (f *folder) get(path string) int {
	response, err := http.Get(f.url + path)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}
