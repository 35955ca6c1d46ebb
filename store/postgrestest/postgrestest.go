// Package postgrestest gives tests PostgreSQL databases: of the server that TEST_POSTGRES names, else of one that it
// starts for the test's process where a postgres binary is found. Tests without either are skipped, unless REQUIRE_BROKERS is
// set.
//
// It imports no other folder.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

var errNone = errors.New("no PostgreSQL: TEST_POSTGRES names none, and no postgres binary is found")

var server = sync.OnceValues(start)

var stopServer = func() {}

// Available tells whether tests can have databases, and why not.
func Available() error {
	_, err := server()
	return err
}

// Stop ends the server that this process started, if it did. TestMain calls it.
func Stop() { stopServer() }

// Database creates an empty database and returns its URL.
func Database(t testing.TB) string {
	t.Helper()
	base, err := server()
	if errors.Is(err, errNone) && os.Getenv("REQUIRE_BROKERS") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), time.Now().UnixNano())
	if err := execute(base, "CREATE DATABASE "+name); err != nil {
		t.Fatalf("creating a database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(base, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Logf("dropping the test's database: %v", err)
		}
	})
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("TEST_POSTGRES is no URL: %v", err)
	}
	u.Path = "/" + name
	return u.String()
}

func execute(base, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// NewCluster starts a server of the test's own, with nothing in it, and returns the URL of its database.
func NewCluster(t testing.TB) string {
	t.Helper()
	base, stop, err := startOwn()
	if errors.Is(err, errNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return base
}

func start() (string, error) {
	if base := os.Getenv("TEST_POSTGRES"); base != "" {
		return base, nil
	}
	base, stop, err := startOwn()
	if err == nil {
		stopServer = stop
	}
	return base, err
}

func startOwn() (base string, stop func(), err error) {
	bin, found := binaries()
	if !found {
		return "", nil, errNone
	}
	dir, err := os.MkdirTemp("", "viscount-postgres-")
	if err != nil {
		return "", nil, err
	}
	who, err := owner(dir)
	if err != nil {
		return "", nil, err
	}
	data := filepath.Join(dir, "data")
	initialise := exec.CommandContext(context.Background(), filepath.Join(bin, "initdb"), "-A", "trust", "-U", "viscount", "-E", "UTF8", "--locale=C", "--no-sync", "-D", data)
	initialise.SysProcAttr, initialise.Dir = &syscall.SysProcAttr{Credential: who}, dir
	if out, err := initialise.CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	cmd := exec.CommandContext(context.Background(), filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", port, "-k", dir, "-c", "fsync=off", "-c", "max_connections=300", "-c", "log_min_messages=fatal")
	cmd.SysProcAttr, cmd.Dir = &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGQUIT}, dir
	began, ended := make(chan error, 1), make(chan struct{})
	go supervise(cmd, began, ended)
	if err := <-began; err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // at once; the data is thrown away
		<-ended
		_ = os.RemoveAll(dir) // a temporary folder
	}
	base = "postgres://viscount@127.0.0.1:" + port + "/postgres?sslmode=disable"
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		err := execute(base, "SELECT 1")
		if err == nil {
			return base, stop, nil
		}
		if time.Now().After(limit) {
			stop()
			return "", nil, fmt.Errorf("the PostgreSQL server did not answer: %w", err)
		}
	}
}

// supervise starts the server on a thread that lives as long as the server: the kernel ends a child when the thread that made
// it ends, so that a test which is killed leaves no server behind.
func supervise(cmd *exec.Cmd, began chan<- error, ended chan<- struct{}) {
	defer close(ended)
	runtime.LockOSThread()
	err := cmd.Start()
	began <- err
	if err == nil {
		_ = cmd.Wait() // a signal ends it
	}
}

func binaries() (dir string, found bool) {
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		return filepath.Dir(path), true
	}
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres") // the pattern is well formed
	if len(installed) == 0 {
		return "", false
	}
	return filepath.Dir(slices.Max(installed)), true
}

// owner is whom the server runs as: PostgreSQL refuses to run as root.
func owner(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		if account, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, uid, gid)
}

func freePort() (string, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}
