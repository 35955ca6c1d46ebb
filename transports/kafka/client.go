package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
)

var errNoAnswer = errors.New("no answer in time")

// clientOptions say how to reach the brokers and who we are.
func clientOptions(c config.Kafka) ([]kgo.Opt, error) {
	if len(c.Brokers) == 0 {
		return nil, errors.New("transport.kafka.brokers names no broker: give host:port of one or more")
	}
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("viscount"),
		kgo.DialTimeout(4 * time.Second),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.DisableClientMetrics(),
	}
	if c.TLS.Enabled {
		t, err := tlsConfig(c.TLS)
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(t))
	}
	switch c.SASL.Mechanism {
	case "PLAIN":
		options = append(options, kgo.SASL(plain.Auth{User: c.SASL.Username, Pass: c.SASL.Password}.AsMechanism()))
	case "SCRAM-SHA-256":
		options = append(options, kgo.SASL(scram.Auth{User: c.SASL.Username, Pass: c.SASL.Password}.AsSha256Mechanism()))
	case "SCRAM-SHA-512":
		options = append(options, kgo.SASL(scram.Auth{User: c.SASL.Username, Pass: c.SASL.Password}.AsSha512Mechanism()))
	}
	return options, nil
}

func tlsConfig(c config.TLS) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("transport.kafka.tls.ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("transport.kafka.tls.ca_file: %s holds no PEM certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("transport.kafka.tls.cert_file and key_file: %w", err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}

// explain names the setting that an error of the first connection is about.
func explain(c config.Kafka, err error) error {
	var unknown x509.UnknownAuthorityError
	var verification *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var dial *net.OpError
	var lookup *net.DNSError
	brokers := strings.Join(c.Brokers, ", ")
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return fmt.Errorf("the Kafka broker at %s refuses user %q: check transport.kafka.sasl.username and password: %w", brokers, c.SASL.Username, err)
	case errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		return fmt.Errorf("the Kafka broker at %s does not take transport.kafka.sasl.mechanism %q: %w", brokers, c.SASL.Mechanism, err)
	case errors.As(err, &unknown):
		return fmt.Errorf("the Kafka broker at %s shows a certificate that is not trusted: check transport.kafka.tls.ca_file (%s): %w", brokers, orSystem(c.TLS.CAFile), err)
	case errors.As(err, &verification):
		return fmt.Errorf("the Kafka broker at %s shows a certificate that does not hold (transport.kafka.tls): %w", brokers, err)
	case errors.As(err, &record):
		return fmt.Errorf("the Kafka broker at %s does not speak TLS: check transport.kafka.tls.enabled and the port in transport.kafka.brokers: %w", brokers, err)
	case errors.As(err, &lookup), errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("no Kafka broker answers at %s (transport.kafka.brokers): %w", brokers, err)
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("the Kafka broker at %s closes the connection; it may expect other settings: check transport.kafka.tls.enabled (%t), transport.kafka.sasl (mechanism %q, user %q, its password) and the port: %w",
			brokers, c.TLS.Enabled, c.SASL.Mechanism, c.SASL.Username, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no Kafka broker answers at %s within %v (transport.kafka.brokers; transport.kafka.tls.enabled is %t: does the port speak TLS?): %w", brokers, driver.AnswerTimeout, c.TLS.Enabled, err)
	}
	return fmt.Errorf("the Kafka broker at %s (transport.kafka): %w", brokers, err)
}

func orSystem(file string) string {
	if file == "" {
		return "not set: the system's authorities"
	}
	return file
}
