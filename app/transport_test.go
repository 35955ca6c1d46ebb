package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/googlecloud"
	"github.com/first-viscount/viscount/transports/googlecloud/googlecloudtest"
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
	require.Eventually(t, func() bool { return isDegraded(t, a, "transport kafka: ") }, 30*time.Second, 100*time.Millisecond, "degraded")
}

// isDegraded tells whether readiness and status both say so of something whose line begins like this. Both answer 200: the
// process goes on accepting.
func isDegraded(t *testing.T, a *app.App, line string) bool {
	t.Helper()
	for _, path := range []string{"/readyz", "/api/v1/status"} {
		response, err := http.Get(a.URL() + path)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
		var said struct{ Degraded []string }
		require.NoError(t, json.NewDecoder(response.Body).Decode(&said))
		require.NoError(t, response.Body.Close())
		if !slices.ContainsFunc(said.Degraded, func(d string) bool { return strings.HasPrefix(d, line) }) {
			return false
		}
	}
	return true
}

// Pub/Sub goes away under the whole platform and comes back: meanwhile it is told and orders are accepted, afterwards every
// event of them is handled.
func TestPubSubGoesAwayAndNothingIsLost(t *testing.T) {
	endpoint, cut, restore := googlecloudtest.Severable(t)
	a := start(t, t.TempDir(), func(o *app.Options) {
		o.Driver, o.Config.Transport.Driver = googlecloud.Driver, "googlecloud"
		o.Config.Transport.GoogleCloud.Project, o.Config.Transport.GoogleCloud.Endpoint = "test", endpoint
	})
	defer stop(t, a)
	order(t, a, "order_1") // it works, and there is stock
	require.False(t, isDegraded(t, a, "transport googlecloud: "))

	cut()
	require.Eventually(t, func() bool { return isDegraded(t, a, "transport googlecloud: ") }, 30*time.Second, 20*time.Millisecond, "degraded")
	const orders = 4 // of the stock that is left
	for n := range orders {
		status, answer := call(t, a, http.MethodPost, "/orders", fmt.Sprintf(`{"order_id":"cut_%d","customer_id":"cust_1","items":[{"product_id":"prod_1","quantity":1}],
			"shipping_address":{"street":"s","city":"c","state":"","zip":"z","country":"US"}}`, n))
		require.Equal(t, http.StatusCreated, status, answer)
	}
	require.True(t, isDegraded(t, a, "transport googlecloud: "), "still")

	restore()
	for n := range orders {
		id := fmt.Sprint("cut_", n)
		require.Eventually(t, func() bool {
			_, o := call(t, a, http.MethodGet, "/orders/"+id, "")
			return o["settled"] == true && o["status"] == "completed"
		}, time.Minute, 20*time.Millisecond, id)
	}
	require.Eventually(t, func() bool {
		_, status := call(t, a, http.MethodGet, "/status", "")
		for _, s := range status["services"].([]any) {
			s := s.(map[string]any)
			for _, left := range []string{"outbox_pending", "in_flight", "waiting", "retrying", "dead", "lag_events"} {
				if s[left] != 0.0 {
					return false
				}
			}
		}
		return len(status["degraded"].([]any)) == 0
	}, time.Minute, 20*time.Millisecond, "nothing is left, and nothing is degraded")
}
