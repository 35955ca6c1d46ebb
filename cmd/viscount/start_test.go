package main

import (
	"maps"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// giveUp is far beyond the ten seconds within which a server that cannot start ends on a machine that has time for it: the waits
// end after six. It is a guard against one that does not end at all, not a measurement.
const giveUp = time.Minute

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
			for key, value := range env {
				t.Setenv("VISCOUNT_"+key, value)
			}
			began := time.Now()
			_, problem, code := run(t, "", "serve", "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--log-level", "error")
			require.Less(t, time.Since(began), giveUp)
			t.Logf("ended after %v", time.Since(began).Round(time.Millisecond))
			require.Equal(t, exitNo, code, problem)
			for _, words := range c.says {
				require.Contains(t, problem, words)
			}
			require.NotContains(t, problem, "right", "no secret is told")
		})
	}
}
