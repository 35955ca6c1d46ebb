package kafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka"
)

// authority is a certificate of a test's own, for 127.0.0.1, and the file that a client trusts it by.
func authority(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// The connection is as safe as the configuration says, and a mistake in it is named.
func TestTLSAndSASL(t *testing.T) {
	certificate, ca := authority(t)
	_, otherCA := authority(t)
	secured, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}),
		kfake.EnableSASL(), kfake.Superuser("PLAIN", "viscount", "right"), kfake.Superuser("SCRAM-SHA-256", "viscount", "right"), kfake.Superuser("SCRAM-SHA-512", "viscount", "right"))
	require.NoError(t, err)
	t.Cleanup(secured.Close)
	plain, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(plain.Close)

	open := func(addresses []string, change func(c *config.Kafka)) error {
		c := configured(addresses)
		c.Kafka.TLS = config.TLS{Enabled: true, CAFile: ca}
		c.Kafka.SASL = config.SASL{Mechanism: "SCRAM-SHA-512", Username: "viscount", Password: "right"}
		change(&c.Kafka)
		began := time.Now()
		tr, err := kafka.Driver.Open(t.Context(), driver.Options{Config: c, Topics: []driver.Topic{{Name: "a.v1"}}})
		require.Less(t, time.Since(began), 10*time.Second)
		if err == nil {
			require.NoError(t, tr.Close())
		}
		return err
	}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		require.NoError(t, open(secured.ListenAddrs(), func(c *config.Kafka) { c.SASL.Mechanism = mechanism }), mechanism)
		require.ErrorContains(t, open(secured.ListenAddrs(), func(c *config.Kafka) { c.SASL.Mechanism, c.SASL.Password = mechanism, "wrong" }), "transport.kafka.sasl", mechanism)
	}
	require.ErrorContains(t, open(secured.ListenAddrs(), func(c *config.Kafka) { c.TLS.CAFile = otherCA }), "transport.kafka.tls.ca_file")
	require.ErrorContains(t, open(secured.ListenAddrs(), func(c *config.Kafka) { c.TLS.CAFile = filepath.Join(t.TempDir(), "none.pem") }), "transport.kafka.tls.ca_file")
	require.ErrorContains(t, open(secured.ListenAddrs(), func(c *config.Kafka) { c.TLS.Enabled = false }), "transport.kafka.tls.enabled")
	require.ErrorContains(t, open(plain.ListenAddrs(), func(*config.Kafka) {}), "transport.kafka.tls.enabled")
	require.ErrorContains(t, open(plain.ListenAddrs(), func(c *config.Kafka) { c.TLS.Enabled = false }), "transport.kafka.sasl")
}
