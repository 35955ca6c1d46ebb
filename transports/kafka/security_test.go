package kafka_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// The connection is as safe as the configuration says, and a mistake in it is named.
func TestTLSAndSASL(t *testing.T) {
	secured, ca := kafkatest.Secured(t)
	_, otherCA := kafkatest.Authority(t)
	plain, _ := kafkatest.Fake(t)

	open := func(addresses []string, change func(c *config.Kafka)) error {
		c := configured(addresses)
		c.Kafka.TLS = config.TLS{Enabled: true, CAFile: ca}
		c.Kafka.SASL = config.SASL{Mechanism: "SCRAM-SHA-512", Username: "viscount", Password: "right"}
		change(&c.Kafka)
		tr, err := kafka.Driver.Open(t.Context(), driver.Options{Config: c, Topics: []driver.Topic{{Name: "a.v1"}}})
		if err == nil {
			require.NoError(t, tr.Close())
		}
		return err
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		require.NoError(t, open(secured, func(c *config.Kafka) { c.SASL.Mechanism = mechanism }), mechanism)
		require.ErrorContains(t, open(secured, func(c *config.Kafka) { c.SASL.Mechanism, c.SASL.Password = mechanism, "wrong" }), "transport.kafka.sasl", mechanism)
	}
	require.ErrorContains(t, open(secured, func(c *config.Kafka) { c.TLS.CAFile = otherCA }), "transport.kafka.tls.ca_file")
	require.ErrorContains(t, open(secured, func(c *config.Kafka) { c.TLS.CAFile = filepath.Join(t.TempDir(), "none.pem") }), "transport.kafka.tls.ca_file")
	require.ErrorContains(t, open(secured, func(c *config.Kafka) { c.TLS.Enabled = false }), "transport.kafka.tls.enabled")
	require.ErrorContains(t, open(plain, func(*config.Kafka) {}), "transport.kafka.tls.enabled")
	require.ErrorContains(t, open(plain, func(c *config.Kafka) { c.TLS.Enabled = false }), "transport.kafka.sasl")
}
