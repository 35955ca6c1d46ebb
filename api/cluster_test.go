package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/gochannel"
)

// bus joins the channels of several processes of a test: what one publishes, all get.
type bus struct {
	mu    sync.Mutex
	nodes map[string]driver.Transport
}

// alone is the driver of a process that hears no other, beside the peers that it asks.
func alone() driver.Driver {
	d := gochannel.Driver
	d.Capabilities.BetweenProcesses = true
	return d
}

func (b *bus) driver(name string) driver.Driver {
	return driver.Driver{Name: "bus", Capabilities: driver.Capabilities{BetweenProcesses: true}, Open: func(ctx context.Context, o driver.Options) (driver.Transport, error) {
		own, err := gochannel.Driver.Open(ctx, o)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.nodes[name] = own
		return node{own, b}, err
	}}
}

type node struct {
	driver.Transport
	bus *bus
}

func (n node) Publisher() message.Publisher { return n.bus }

func (b *bus) Close() error { return nil }

func (b *bus) Publish(topic string, messages ...*message.Message) error {
	b.mu.Lock()
	nodes := make([]driver.Transport, 0, len(b.nodes))
	for _, n := range b.nodes {
		nodes = append(nodes, n)
	}
	b.mu.Unlock()
	var errs []error
	for _, n := range nodes {
		errs = append(errs, n.Publisher().Publish(topic, messages...))
	}
	return errors.Join(errs...)
}

// process runs some of the services, and knows the others by their URLs.
type process struct {
	t        *testing.T
	services []string
	listen   string
	dir      string
	driver   driver.Driver
	peers    map[string][]string
	own      []router.Consumer // beside the platform's services
	app      *app.App
}

func newProcess(t *testing.T, d driver.Driver, services ...string) *process {
	t.Helper()
	return &process{t: t, services: services, listen: freeAddress(t), dir: t.TempDir(), driver: d, peers: map[string][]string{}}
}

// freeAddress is one at which nobody answers.
func freeAddress(t *testing.T) string {
	t.Helper()
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer free.Close()
	return free.Addr().String()
}

func (p *process) start() *platform {
	p.t.Helper()
	loaded, err := config.Load(config.Source{Flags: map[string]string{"store.sqlite.dir": p.dir, "http.listen": p.listen}})
	require.NoError(p.t, err)
	loaded.Config.Services, loaded.Config.HTTP.Peers = p.services, p.peers
	loaded.Config.Router.Retry = config.Retry{}
	p.app, err = app.Start(p.t.Context(), app.Options{
		Config: loaded.Config, Driver: p.driver, Platform: true, Consumers: p.own, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		FillPatience: time.Nanosecond, // many of a test's peers never answer
	})
	require.NoError(p.t, err)
	p.t.Cleanup(p.stop)
	return &platform{t: p.t, url: p.app.URL() + "/api/v1", http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

func (p *process) stop() {
	if p.app == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(p.t, p.app.Stop(ctx))
	p.app = nil
}

// cluster is the platform in three processes, each with the same http.peers, which name all services.
type cluster struct {
	processes [3]*process
	at        [3]*platform
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	b := &bus{nodes: map[string]driver.Transport{}}
	peers := map[string][]string{}
	c := &cluster{}
	for i, services := range [][]string{{"catalog", "customers"}, {"inventory", "orders"}, {"fulfillment", "payments"}} {
		c.processes[i] = newProcess(t, b.driver(strings.Join(services, "+")), services...)
		for _, service := range services {
			peers[service] = []string{"http://" + c.processes[i].listen}
		}
	}
	for i, p := range c.processes {
		p.peers = peers
		c.at[i] = p.start()
	}
	return c
}

// same asks every process and gives the answer that is common to all.
func (c *cluster) same(t *testing.T, path string) answer {
	t.Helper()
	first := c.at[0].want(200, "GET", path, "")
	for _, p := range c.at[1:] {
		require.Equal(t, first.raw, p.want(200, "GET", path, "").raw, "%s through another process", path)
	}
	return first
}

// names are the members of the items of a list.
func names(list any, member string) (found []string) {
	for _, item := range list.([]any) {
		found = append(found, item.(map[string]any)[member].(string))
	}
	slices.Sort(found)
	return found
}
