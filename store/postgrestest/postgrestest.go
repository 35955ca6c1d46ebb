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

// Cluster is a server of a test's own, which can be killed and started again.
type Cluster struct {
	URL string // of its database

	t    testing.TB
	dir  string
	port string
	bin  string
	who  *syscall.Credential
	cmd  *exec.Cmd
	end  chan struct{}
}

// NewCluster starts a server of the test's own, with nothing in it.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	c, err := newCluster()
	if errors.Is(err, errNone) && os.Getenv("REQUIRE_BROKERS") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.t = t
	t.Cleanup(c.remove)
	return c
}

// Kill ends the server as a power cut does.
func (c *Cluster) Kill() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		c.t.Fatal(err)
	}
	<-c.end
}

// Start starts the server again and returns when it answers.
func (c *Cluster) Start() {
	c.t.Helper()
	if err := c.start(); err != nil {
		c.t.Fatal(err)
	}
}

// Guard makes a user whom the server asks for this password (SCRAM-SHA-256), and returns the database's URL for that user, with
// no password in it.
func (c *Cluster) Guard(user, password string) string {
	c.t.Helper()
	u, err := url.Parse(c.URL)
	if err != nil {
		c.t.Fatal(err)
	}
	rules := filepath.Join(c.dir, "data", "pg_hba.conf")
	trusting, err := os.ReadFile(rules)
	if err != nil {
		c.t.Fatal(err)
	}
	// written in place, so that it stays the server's own file; the first rule that fits holds
	err = os.WriteFile(rules, append([]byte("host all "+user+" all scram-sha-256\n"), trusting...), 0o600)
	for _, statement := range []string{"CREATE ROLE " + user + " LOGIN PASSWORD '" + password + "'", "SELECT pg_reload_conf()"} {
		err = errors.Join(err, execute(c.URL, statement))
	}
	u.User = url.UserPassword(user, password)
	err = errors.Join(err, execute(u.String(), "SELECT 1"))
	if err != nil {
		c.t.Fatalf("guarding the server: %v", err)
	}
	u.User = url.User(user)
	for limit := time.Now().Add(20 * time.Second); execute(u.String(), "SELECT 1") == nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(limit) {
			c.t.Fatal("the server does not ask for the password")
		}
	}
	return u.String()
}

func start() (string, error) {
	if base := os.Getenv("TEST_POSTGRES"); base != "" {
		return base, nil
	}
	c, err := newCluster()
	if err != nil {
		return "", err
	}
	stopServer = c.remove
	return c.URL, nil
}

func newCluster() (*Cluster, error) {
	bin, found := binaries()
	if !found {
		return nil, errNone
	}
	dir, err := os.MkdirTemp("", "viscount-postgres-")
	if err != nil {
		return nil, err
	}
	who, err := owner(dir)
	if err != nil {
		return nil, err
	}
	initialise := exec.CommandContext(context.Background(), filepath.Join(bin, "initdb"), "-A", "trust", "-U", "viscount", "-E", "UTF8", "--locale=C", "--no-sync", "-D", filepath.Join(dir, "data"))
	initialise.SysProcAttr, initialise.Dir = &syscall.SysProcAttr{Credential: who}, dir
	if out, err := initialise.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c := &Cluster{URL: "postgres://viscount@127.0.0.1:" + port + "/postgres?sslmode=disable", dir: dir, port: port, bin: bin, who: who}
	return c, c.start()
}

// start runs the server until it answers. One that was killed leaves processes behind for a moment, which refuse a new one.
func (c *Cluster) start() error {
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c.cmd == nil || c.ended() {
			if err := c.run(); err != nil {
				return err
			}
		}
		err := execute(c.URL, "SELECT 1")
		if err == nil {
			return nil
		}
		if time.Now().After(limit) {
			c.remove()
			return fmt.Errorf("the PostgreSQL server did not answer: %w", err)
		}
	}
}

func (c *Cluster) run() error {
	c.cmd = exec.CommandContext(context.Background(), filepath.Join(c.bin, "postgres"), "-D", filepath.Join(c.dir, "data"), "-h", "127.0.0.1", "-p", c.port, "-k", c.dir,
		"-c", "fsync=off", "-c", "max_connections=300", "-c", "log_min_messages=fatal")
	c.cmd.SysProcAttr, c.cmd.Dir = &syscall.SysProcAttr{Credential: c.who, Pdeathsig: syscall.SIGQUIT}, c.dir
	began := make(chan error, 1)
	c.end = make(chan struct{})
	go supervise(c.cmd, began, c.end)
	return <-began
}

func (c *Cluster) ended() bool {
	select {
	case <-c.end:
		return true
	default:
		return false
	}
}

// remove ends the server at once; its data is thrown away.
func (c *Cluster) remove() {
	_ = c.cmd.Process.Signal(syscall.SIGQUIT) // it may have ended
	<-c.end
	_ = os.RemoveAll(c.dir) // a temporary folder
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
