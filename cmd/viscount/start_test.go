package main

import (
	"maps"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/internal/postgres"
	"github.com/first-viscount/viscount/store/postgrestest"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// A start ends within ten seconds when a server says nothing. The first wait that ends without an answer ends the start, and the
// services' databases are opened at the same time, so that waits never add up. Nothing is measured: a machine may be slow.
func TestAStartDoesNotWaitForLong(t *testing.T) {
	const budget = 10 * time.Second
	for _, wait := range []time.Duration{postgres.AnswerTimeout, driver.AnswerTimeout} {
		require.Less(t, wait, budget)
	}
}

// A server that cannot start says so, names the setting, and exits with 1.
func TestAWrongStartNamesTheSetting(t *testing.T) {
	secured, ca := kafkatest.Secured(t)
	_, otherCA := kafkatest.Authority(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	require.NoError(t, err)
	defer silent.Close()
	onKafka := map[string]string{"PROFILE": "kafka", "STORE_DRIVER": "sqlite", "TRANSPORT_KAFKA_BROKERS": secured[0], "TRANSPORT_KAFKA_TLS_CA_FILE": ca,
		"TRANSPORT_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512", "TRANSPORT_KAFKA_SASL_USERNAME": "viscount", "TRANSPORT_KAFKA_SASL_PASSWORD": "right"}
	onPostgres := map[string]string{"PROFILE": "local", "STORE_DRIVER": "postgres"}
	for name, c := range map[string]struct {
		on, change map[string]string
		says       []string
	}{
		"wrong broker address":      {onKafka, map[string]string{"TRANSPORT_KAFKA_BROKERS": "127.0.0.1:1"}, []string{"no Kafka broker answers at 127.0.0.1:1", "transport.kafka.brokers"}},
		"a broker that is silent":   {onKafka, map[string]string{"TRANSPORT_KAFKA_BROKERS": silent.Addr().String()}, []string{"transport.kafka.brokers"}},
		"wrong password":            {onKafka, map[string]string{"TRANSPORT_KAFKA_SASL_PASSWORD": "wrong"}, []string{"transport.kafka.sasl", `user "viscount"`}},
		"wrong CA":                  {onKafka, map[string]string{"TRANSPORT_KAFKA_TLS_CA_FILE": otherCA}, []string{"transport.kafka.tls.ca_file"}},
		"no TLS where it is wanted": {onKafka, map[string]string{"TRANSPORT_KAFKA_TLS_ENABLED": "false", "TRANSPORT_KAFKA_TLS_CA_FILE": ""}, []string{"transport.kafka.tls.enabled"}},
		"missing topic":             {onKafka, nil, []string{"does not exist", "viscount topics apply", "transport.kafka.topics.provision"}},
		"database down":             {onPostgres, map[string]string{"STORE_POSTGRES_URL": "postgres://viscount@127.0.0.1:1/viscount"}, []string{"PostgreSQL does not answer at 127.0.0.1:1", "store.postgres.url"}},
		"a database that is silent": {onPostgres, map[string]string{"STORE_POSTGRES_URL": "postgres://viscount@" + silent.Addr().String() + "/viscount?sslmode=disable"}, []string{"store.postgres.url"}},
		"sql without its database":  {map[string]string{"PROFILE": "sql", "STORE_DRIVER": "sqlite"}, map[string]string{"TRANSPORT_SQL_URL": "postgres://viscount@127.0.0.1:1/viscount"}, []string{"PostgreSQL does not answer at 127.0.0.1:1", "transport.sql.url"}},
		"no Pub/Sub": {map[string]string{"PROFILE": "googlecloud", "STORE_DRIVER": "sqlite", "TRANSPORT_GOOGLECLOUD_PROJECT": "test"},
			map[string]string{"TRANSPORT_GOOGLECLOUD_ENDPOINT": "127.0.0.1:1"}, []string{"transport.googlecloud.endpoint"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := maps.Clone(c.on)
			maps.Copy(env, c.change)
			requireNoStart(t, env, c.says)
		})
	}
}

// The passwords of PostgreSQL, where it holds the services' data and where it carries events. The server is a real one.
func TestAWrongPasswordOfPostgreSQLNamesTheSetting(t *testing.T) {
	at := postgrestest.NewCluster(t).Guard("anna", "right")
	for setting, env := range map[string]map[string]string{
		"store.postgres": {"PROFILE": "local", "STORE_DRIVER": "postgres", "STORE_POSTGRES_URL": at, "STORE_POSTGRES_PASSWORD": "wrong"},
		"transport.sql":  {"PROFILE": "sql", "STORE_DRIVER": "sqlite", "TRANSPORT_SQL_URL": at, "TRANSPORT_SQL_PASSWORD": "wrong"},
	} {
		t.Run(setting, func(t *testing.T) {
			requireNoStart(t, env, []string{`refuses user "anna": check ` + setting + ".password and the user in " + setting + `.url: password authentication failed`})
		})
	}
}

// requireNoStart serves with this environment, and wants the reason.
func requireNoStart(t *testing.T, env map[string]string, says []string) {
	t.Helper()
	for key, value := range env {
		t.Setenv("VISCOUNT_"+key, value)
	}
	began := time.Now()
	_, problem, code := run(t, "", "serve", "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--log-level", "error")
	t.Logf("ended after %v", time.Since(began).Round(time.Millisecond))
	require.Equal(t, exitNo, code, problem)
	for _, words := range says {
		require.Contains(t, problem, words)
	}
	for _, secret := range []string{"right", "wrong"} {
		require.NotContains(t, problem, secret, "no secret is told")
	}
}

// A process that waits for its servers can be told to stop, as one that runs. Without that it ends with the server's error.
func TestASignalEndsAStart(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	require.NoError(t, err)
	defer silent.Close()
	t.Setenv("VISCOUNT_STORE_DRIVER", "postgres")
	t.Setenv("VISCOUNT_STORE_POSTGRES_URL", "postgres://viscount@"+silent.Addr().String()+"/viscount?sslmode=disable")
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		conn, err := silent.Accept() // it waits for an answer now
		if err == nil {
			err = syscall.Kill(os.Getpid(), syscall.SIGTERM)
		}
		assert.NoError(t, err)
		<-ended
		_ = conn.Close()
	}()
	_, problem, code := run(t, "", "serve", "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0")
	require.Equal(t, 0, code, problem)
}
