package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// startOn starts a process of some services on Kafka, with databases of its own.
func startOn(t *testing.T, brokers []string, services string) *app.App {
	t.Helper()
	loaded, err := config.Load(config.Source{Profile: "kafka", Services: app.ServiceNames(), Env: []string{
		"VISCOUNT_STORE_DRIVER=sqlite", "VISCOUNT_STORE_SQLITE_DIR=" + t.TempDir(), "VISCOUNT_HTTP_LISTEN=127.0.0.1:0", "VISCOUNT_SERVICES=" + services,
		"VISCOUNT_TRANSPORT_KAFKA_BROKERS=" + strings.Join(brokers, ","), "VISCOUNT_TRANSPORT_KAFKA_TLS_ENABLED=false",
		"VISCOUNT_TRANSPORT_KAFKA_TOPICS_PROVISION=true", "VISCOUNT_TRANSPORT_KAFKA_TOPICS_REPLICATION=1", "VISCOUNT_TRANSPORT_KAFKA_TOPICS_PARTITIONS=2",
	}})
	require.NoError(t, err)
	a, err := app.Start(t.Context(), app.Options{Config: loaded.Config, Driver: kafka.Driver, Platform: true, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return a
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	response, err := http.Post(url, "application/json", bytes.NewReader([]byte(body)))
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(answer)
}

// A transport that is lost later is told, and the API goes on accepting.
func TestALostTransportIsToldAndAcceptanceGoesOn(t *testing.T) {
	fake, stop := kafkatest.Fake(t)
	a := startOn(t, fake, "catalog")
	defer func() { require.NoError(t, a.Stop(t.Context())) }()
	stop()
	status, answer := post(t, a.URL()+"/api/v1/products", `{"product_id":"p1","name":"Tea","category_id":"c","price":"3.50"}`)
	require.Equal(t, http.StatusCreated, status, answer)
	require.Eventually(t, func() bool {
		var ready, all struct{ Degraded []string }
		for path, into := range map[string]any{"/readyz": &ready, "/api/v1/status": &all} {
			response, err := http.Get(a.URL() + path)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.NoError(t, json.NewDecoder(response.Body).Decode(into))
			require.NoError(t, response.Body.Close())
		}
		return len(ready.Degraded) > 0 && len(all.Degraded) > 0 && strings.Contains(all.Degraded[0], "transport kafka")
	}, 30*time.Second, 100*time.Millisecond, "degraded")
}
