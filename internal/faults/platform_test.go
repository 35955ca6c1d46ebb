package faults

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/internal/servertest"
	"github.com/first-viscount/viscount/simulator"
	"github.com/first-viscount/viscount/store/postgrestest"
)

// profile is a way to run the whole platform in one process.
type profile struct {
	name     string
	env      []string
	postgres *postgrestest.Cluster // nil: SQLite
	kafka    *broker               // nil: no Kafka
}

// profiles are those whose servers this machine has.
func profiles(t *testing.T, names ...string) (list []profile) {
	for _, name := range names {
		p := profile{name: name}
		switch name {
		case "sql":
			p.postgres = postgrestest.NewCluster(t)
			p.env = sqlEnv(p.postgres.URL)
		case "kafka", "kafka through a proxy":
			p.name, p.kafka = "kafka", startKafka(t, name != "kafka")
			if p.kafka == nil {
				t.Log("not on kafka: java or bin/kafka-libs is missing (make brokers fetches it)")
				continue
			}
			p.postgres = postgrestest.NewCluster(t)
			p.env = append(sqlEnv(p.postgres.URL), kafkaEnv(p.kafka.addr)...)
		}
		list = append(list, p)
	}
	return list
}

func sqlEnv(url string) []string {
	return []string{"VISCOUNT_PROFILE=sql", "VISCOUNT_STORE_POSTGRES_URL=" + url, "VISCOUNT_STORE_POSTGRES_MIGRATE=apply"}
}

func kafkaEnv(addr string) []string {
	return []string{
		"VISCOUNT_PROFILE=kafka", "VISCOUNT_TRANSPORT_KAFKA_BROKERS=" + addr, "VISCOUNT_TRANSPORT_KAFKA_TLS_ENABLED=false", "VISCOUNT_TRANSPORT_KAFKA_TOPICS_PROVISION=true",
		"VISCOUNT_TRANSPORT_KAFKA_TOPICS_REPLICATION=1", "VISCOUNT_TRANSPORT_KAFKA_TOPICS_PARTITIONS=2",
	}
}

// broker is a Kafka node of the test's own.
type broker struct {
	t     *testing.T
	env   []string
	addr  string
	proxy *toxiproxy.Proxy // nil: it is reached directly
}

func startKafka(t *testing.T, throughProxy bool) *broker {
	libs, err := filepath.Abs("../../bin/kafka-libs")
	require.NoError(t, err)
	found, err := filepath.Glob(filepath.Join(libs, "kafka_2.13-*.jar"))
	require.NoError(t, err)
	if _, err := exec.LookPath("java"); err != nil || len(found) == 0 {
		require.Empty(t, os.Getenv("REQUIRE_BROKERS"), "java and bin/kafka-libs are required")
		return nil
	}
	port := servertest.FreePort(t)
	b := &broker{t: t, addr: "127.0.0.1:" + port, env: append(os.Environ(), "BROKERS_DIR="+t.TempDir(), "KAFKA_LIBS="+libs, "KAFKA_NODES=1", "KAFKA_PORT="+port, "KAFKA_CONTROLLER_PORT="+servertest.FreePort(t))}
	if throughProxy { // also to those who ask the broker where it is
		b.proxy = proxied(t, "broker", b.addr)
		b.addr = b.proxy.Listen
		_, advertised, err := net.SplitHostPort(b.addr)
		require.NoError(t, err)
		b.env = append(b.env, "KAFKA_ADVERTISED_PORT="+advertised)
	}
	b.run("node-start")
	t.Cleanup(func() { b.run("node-kill") })
	return b
}

// restart starts the node again after it was killed; its port may be held for another moment.
func (b *broker) restart() {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		script := exec.Command("../../scripts/brokers.sh", "node-start", "1")
		script.Env = b.env
		return script.Run() == nil
	}, time.Minute, 200*time.Millisecond, "Kafka does not start again")
}

func (b *broker) run(what string) {
	b.t.Helper()
	script := exec.Command("../../scripts/brokers.sh", what, "1")
	script.Env = b.env
	var said strings.Builder
	script.Stderr = &said
	require.NoError(b.t, script.Run(), "%s: %s", what, &said)
}

// limit sets how long a message of a topic may be.
func (b *broker) limit(t *testing.T, topic string, bytes int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addr))
	require.NoError(t, err)
	defer client.Close()
	value := strconv.Itoa(bytes)
	_, err = kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &value}}, topic)
	require.NoError(t, err)
}

// serve starts the whole platform on a profile.
func (p profile) serve(t *testing.T, env ...string) *servertest.Server {
	s := servertest.New(t, append(append([]string(nil), p.env...), env...)...)
	s.Start()
	return s
}

// proxied stands between the server and one of its servers.
func proxied(t *testing.T, name, upstream string) *toxiproxy.Proxy {
	t.Helper()
	quiet := zerolog.Nop()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), quiet)
	p := toxiproxy.NewProxy(server, name, "127.0.0.1:"+servertest.FreePort(t), upstream)
	require.NoError(t, p.Start())
	t.Cleanup(p.Stop)
	return p
}

// through is a URL whose server is reached at another address.
func through(t *testing.T, raw, addr string) string {
	u, err := url.Parse(raw)
	require.NoError(t, err)
	u.Host = addr
	return u.String()
}

func hostOf(t *testing.T, raw string) string {
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u.Host
}

// crowd simulates orders while during breaks things, and checks every invariant afterwards.
func crowd(t *testing.T, s *servertest.Server, o simulator.Options, during func()) *simulator.Report {
	t.Helper()
	o.URL, o.SettleTimeout = s.URL(), 2*time.Minute
	if o.Products == 0 {
		o.Products = 60
	}
	type outcome struct {
		report *simulator.Report
		err    error
	}
	ended := make(chan outcome, 1)
	go func() {
		report, err := simulator.Run(t.Context(), o)
		ended <- outcome{report, err}
	}()
	during()
	out := <-ended // it gives up when nothing settles any more
	require.NoError(t, out.err)
	for _, i := range out.report.Invariants {
		assert.True(t, i.Held, "%s: %s", i.Name, i.Detail)
	}
	require.False(t, t.Failed())
	require.Zero(t, out.report.DeadLetters)
	return out.report
}

// busy waits until the server has had at least n events in hand after running for a while.
func busy(t *testing.T, s *servertest.Server, run time.Duration, n int64) {
	t.Helper()
	began := time.Now()
	require.Eventually(t, func() bool {
		status, err := s.Status()
		return err == nil && time.Since(began) > run && status.Pending+status.InFlight+status.Lag >= n
	}, time.Minute, 2*time.Millisecond, "the server never had %d events in hand", n)
}

// works waits until the server's services have ended so many events more.
func works(t *testing.T, s *servertest.Server, more int64) {
	t.Helper()
	first, last := int64(-1), int64(0)
	require.Eventually(t, func() bool {
		status, err := s.Status()
		if err != nil {
			return false
		}
		last = status.Applied + status.Ignored
		if first < 0 {
			first = last
		}
		return last-first >= more
	}, 3*time.Minute, 2*time.Millisecond, "the server does not handle %d events", more)
}

// handed is how many events wait in the outboxes.
func handed(t *testing.T, s *servertest.Server) int64 {
	t.Helper()
	status, err := s.Status()
	require.NoError(t, err)
	return status.Pending
}

// handled is how many events the server's services have ended.
func handled(t *testing.T, s *servertest.Server) int64 {
	t.Helper()
	status, err := s.Status()
	require.NoError(t, err)
	return status.Applied + status.Ignored
}

// caughtUp waits until nothing in hand is older than two seconds, for a second: a service that cannot reach its broker knows of
// nothing. It tells how long that took.
func caughtUp(t *testing.T, s *servertest.Server, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	var calm time.Time
	require.Eventually(t, func() bool {
		status, err := s.Status()
		switch {
		case err != nil || !status.Ready || status.LagSeconds >= 2:
			calm = time.Time{}
		case calm.IsZero():
			calm = time.Now()
		}
		return !calm.IsZero() && time.Since(calm) > time.Second
	}, limit, 50*time.Millisecond, "it does not catch up within %s", limit)
	return calm.Sub(began)
}

// capacity measures orders a second without a rate.
func capacity(t *testing.T, s *servertest.Server) float64 {
	t.Helper()
	report := crowd(t, s, simulator.Options{Orders: pick(150, 1000), Seed: 99}, func() {})
	return report.OrdersPerSecond
}

func orderRate(perSecond float64) string { return fmt.Sprintf("%.0f orders/s", perSecond) }
