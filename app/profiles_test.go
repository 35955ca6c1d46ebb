package app_test

import (
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/simulator"
	"github.com/first-viscount/viscount/store/postgrestest"
	"github.com/first-viscount/viscount/transports/googlecloud/googlecloudtest"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// profiles are the environments of a process on each profile, on servers that are the tests' own.
var profiles = map[string]func(t *testing.T) map[string]string{
	"kafka": func(t *testing.T) map[string]string {
		brokers := kafkatest.Named(t)
		if brokers == nil {
			t.Skip("TEST_KAFKA names no broker: run make test-brokers")
		}
		kafkatest.Reset(t, brokers)
		env := onPostgres(t)
		maps.Copy(env, map[string]string{
			"TRANSPORT_KAFKA_BROKERS": strings.Join(brokers, ","), "TRANSPORT_KAFKA_TLS_ENABLED": "false", "TRANSPORT_KAFKA_TOPICS_PROVISION": "true",
			"TRANSPORT_KAFKA_TOPICS_REPLICATION": strconv.Itoa(len(brokers)),
		})
		return env
	},
	"sql": func(t *testing.T) map[string]string {
		if os.Getenv("TEST_POSTGRES") == "" && os.Getenv("REQUIRE_BROKERS") == "" {
			t.Skip("TEST_POSTGRES names no server: run make test-brokers")
		}
		return onPostgres(t)
	},
	"googlecloud": func(t *testing.T) map[string]string {
		if os.Getenv("TEST_POSTGRES") == "" && os.Getenv("REQUIRE_BROKERS") == "" {
			t.Skip("TEST_POSTGRES names no server: run make test-brokers")
		}
		// pstest in this process, which is none of the servers'. The emulator starts a thread for each ordering key of each
		// subscription, 16 an order, and ends none: its place is the driver's suite.
		endpoint := googlecloudtest.Fake(t)
		env := onPostgres(t)
		maps.Copy(env, map[string]string{"TRANSPORT_GOOGLECLOUD_ENDPOINT": endpoint, "TRANSPORT_GOOGLECLOUD_PROJECT": "test"})
		return env
	},
}

func onPostgres(t *testing.T) map[string]string {
	return map[string]string{"STORE_POSTGRES_URL": postgrestest.Database(t), "STORE_POSTGRES_MIGRATE": "apply"}
}

// connectionsTo counts the connections that a database has. Pools keep theirs, so that at the end of a run it tells the most.
func connectionsTo(t *testing.T, url string) (n int) {
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()").Scan(&n))
	require.NoError(t, conn.Close(t.Context()))
	return n
}

// environment is what a process is told by.
func environment(profile string, env map[string]string) []string {
	all := []string{"VISCOUNT_PROFILE=" + profile}
	for name, value := range env {
		all = append(all, "VISCOUNT_"+name+"="+value)
	}
	return all
}

// platform starts the services: all of them in one process if instances is 0, else every service in processes of its own. It
// returns the URLs that answer for the whole platform.
func platform(t *testing.T, profile string, env map[string]string, instances int) []*process {
	base := environment(profile, env)
	if instances == 0 {
		p := newProcess(t, base...)
		p.Start()
		return []*process{p}
	}
	var all []*process
	var peers []string
	for _, service := range app.ServiceNames() {
		for range instances {
			p := newProcess(t, append(slices.Clone(base), "VISCOUNT_SERVICES="+service)...)
			all, peers = append(all, p), append(peers, service+"="+p.URL())
		}
	}
	var starting sync.WaitGroup
	for _, p := range all {
		p.Env = append(p.Env, "VISCOUNT_HTTP_PEERS="+strings.Join(peers, ","))
		starting.Go(func() { p.Start() })
	}
	starting.Wait()
	return all
}

// TestProfiles runs the same shoppers on every profile: all services in one process, one process per service, and two
// instances of each. TEST_ORDERS says how many orders each run has.
func TestProfiles(t *testing.T) {
	orders := 300
	if n, err := strconv.Atoi(os.Getenv("TEST_ORDERS")); err == nil {
		orders = n
	}
	for _, profile := range append([]string{"local"}, slices.Sorted(maps.Keys(profiles))...) {
		for instances, name := range []string{"one process", "a process per service", "two processes per service"} {
			if profile == "local" && instances > 0 {
				break // gochannel ends with its process
			}
			t.Run(profile+"/"+name, func(t *testing.T) {
				env := map[string]string{}
				if profile != "local" {
					env = profiles[profile](t)
				} else if os.Getenv("TEST_POSTGRES") == "" {
					t.Skip("make test-brokers runs it beside the others")
				}
				maps.Copy(env, telling(t))
				all := platform(t, profile, env, instances)
				report, err := simulator.Run(t.Context(), simulator.Options{URL: all[0].URL(), Orders: orders, Seed: 11, Products: 60, SettleTimeout: time.Minute})
				require.NoError(t, err)
				for _, i := range report.Invariants {
					assert.True(t, i.Held, "%s: %s", i.Name, i.Detail)
				}
				t.Logf("%d orders, %.0f/s, p95 %.0f ms, %d duplicates absorbed", orders, report.OrdersPerSecond, report.Latency.P95, report.DuplicatesAbsorbed)
				if url := env["STORE_POSTGRES_URL"]; url != "" {
					connections := connectionsTo(t, url)
					t.Logf("%d processes, %d connections to PostgreSQL", len(all), connections)
					assert.LessOrEqual(t, connections, 97, "PostgreSQL's default, less what it reserves")
				}
				ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
				defer cancel()
				var stopping sync.WaitGroup
				for _, p := range all {
					stopping.Go(func() { assert.NoError(t, p.Stop(ctx)) })
				}
				stopping.Wait()
			})
		}
	}
}
