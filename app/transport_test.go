package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// startOn starts a process of some services on Kafka, with databases of its own.
func startOn(t *testing.T, brokers []string, services string, o app.Options) *app.App {
	t.Helper()
	loaded, err := config.Load(config.Source{Profile: "kafka", Services: app.ServiceNames(), Env: []string{
		"VISCOUNT_STORE_DRIVER=sqlite", "VISCOUNT_STORE_SQLITE_DIR=" + t.TempDir(), "VISCOUNT_HTTP_LISTEN=127.0.0.1:0", "VISCOUNT_SERVICES=" + services,
		"VISCOUNT_TRANSPORT_KAFKA_BROKERS=" + strings.Join(brokers, ","), "VISCOUNT_TRANSPORT_KAFKA_TLS_ENABLED=false",
		"VISCOUNT_TRANSPORT_KAFKA_TOPICS_PROVISION=true", "VISCOUNT_TRANSPORT_KAFKA_TOPICS_REPLICATION=1", "VISCOUNT_TRANSPORT_KAFKA_TOPICS_PARTITIONS=2",
	}})
	require.NoError(t, err)
	o.Config, o.Driver, o.Platform, o.Logger = loaded.Config, kafka.Driver, true, slog.New(slog.DiscardHandler)
	a, err := app.Start(t.Context(), o)
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

// One trace leads from a request in one process through its outbox and the broker to a handler in another.
func TestOneTraceThroughABrokerAndTwoProcesses(t *testing.T) {
	brokers, _ := kafkatest.Brokers(t)
	kafkatest.Reset(t, brokers)
	spans := map[string]*tracetest.InMemoryExporter{"catalog": tracetest.NewInMemoryExporter(), "inventory": tracetest.NewInMemoryExporter()}
	processes := map[string]*app.App{}
	for service, exporter := range spans {
		processes[service] = startOn(t, brokers, service, app.Options{Tracers: trace.NewTracerProvider(trace.WithSyncer(exporter))})
		t.Cleanup(func() { require.NoError(t, processes[service].Stop(context.Background())) })
	}
	status, answer := post(t, processes["catalog"].URL()+"/api/v1/products", `{"product_id":"p1","name":"Tea","category_id":"c","price":"3.50"}`)
	require.Equal(t, http.StatusCreated, status, answer)

	var request, handled tracetest.SpanStub
	require.Eventually(t, func() bool {
		for _, s := range spans["catalog"].GetSpans() {
			if strings.HasPrefix(s.Name, "POST") {
				request = s
			}
		}
		for _, s := range spans["inventory"].GetSpans() {
			if s.Name == "process product.created" {
				handled = s
			}
		}
		return request.SpanContext.IsValid() && handled.SpanContext.IsValid()
	}, 30*time.Second, 10*time.Millisecond, "a span of the request, and one of the handler")
	require.Equal(t, request.SpanContext.TraceID(), handled.SpanContext.TraceID(), "one trace")
	require.True(t, handled.Parent.IsRemote())
}

// A transport that is lost later is told, and the API goes on accepting.
func TestALostTransportIsToldAndAcceptanceGoesOn(t *testing.T) {
	fake, stop := kafkatest.Fake(t)
	a := startOn(t, fake, "catalog", app.Options{})
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
