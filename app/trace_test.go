package app_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// spans is an OpenTelemetry collector that keeps what one process sends.
type spans struct {
	*httptest.Server
	mu   sync.Mutex
	kept []*otlp.Span
	from []*common.KeyValue // the process's resource
}

func collect(t *testing.T) *spans {
	s := &spans{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		var batch collector.ExportTraceServiceRequest
		assert.NoError(t, proto.Unmarshal(body, &batch))
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, resource := range batch.GetResourceSpans() {
			s.from = resource.GetResource().GetAttributes()
			for _, scope := range resource.GetScopeSpans() {
				s.kept = append(s.kept, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// find is the only span of this name, of this service if one is named.
func (s *spans) find(t *testing.T, name, service string, id []byte) *otlp.Span {
	t.Helper()
	var found []*otlp.Span
	for _, one := range s.kept {
		if one.GetName() == name && (service == "" || valueOf(one.GetAttributes(), "messaging.consumer.group.name") == service) && (id == nil || string(id) == string(one.GetSpanId())) {
			found = append(found, one)
		}
	}
	require.Len(t, found, 1, "%s of %s", name, service)
	return found[0]
}

func valueOf(attributes []*common.KeyValue, key string) string {
	for _, a := range attributes {
		if a.GetKey() == key {
			return a.GetValue().GetStringValue()
		}
	}
	return ""
}

// One trace leads from a request through a process's outbox, the broker and a handler in another process, and back: spans are
// linked across processes as they are within one, and their resources tell the processes apart. Each process sends its spans to
// a collector of its own.
func TestOneTraceThroughABrokerAndTwoProcesses(t *testing.T) {
	brokers, _ := kafkatest.Brokers(t)
	kafkatest.Reset(t, brokers)
	begin := func(services string) (*process, *spans) {
		sent := collect(t)
		return newProcess(t, "VISCOUNT_PROFILE=kafka", "VISCOUNT_STORE_DRIVER=sqlite", "VISCOUNT_SERVICES="+services,
			"VISCOUNT_TRANSPORT_KAFKA_BROKERS="+strings.Join(brokers, ","), "VISCOUNT_TRANSPORT_KAFKA_TLS_ENABLED=false",
			"VISCOUNT_TRANSPORT_KAFKA_TOPICS_PROVISION=true", "VISCOUNT_TRANSPORT_KAFKA_TOPICS_REPLICATION=1", "VISCOUNT_TRANSPORT_KAFKA_TOPICS_PARTITIONS=1",
			"VISCOUNT_TRACING_ENDPOINT="+strings.TrimPrefix(sent.URL, "http://"), "VISCOUNT_TRACING_INSECURE=true", "VISCOUNT_TRACING_SAMPLE_RATIO=1"), sent
	}
	goods, ofGoods := begin("inventory")
	sales, ofSales := begin("catalog,orders,payments,fulfillment")
	sales.Env = append(sales.Env, "VISCOUNT_HTTP_PEERS=inventory="+goods.URL())
	goods.Start()
	sales.Start()
	completed(t, sales.URL(), sell(t, sales.URL(), "tea"))
	for _, p := range []*process{sales, goods} {
		require.NoError(t, p.Stop(t.Context()), "a process that ends sends the spans that it still has")
	}

	reserves := ofGoods.find(t, "process order.created", "inventory", nil)
	request := ofSales.find(t, "POST /api/v1/orders", "", reserves.GetParentSpanId())
	notes := ofSales.find(t, "process inventory.reserved", "orders", nil)
	require.Equal(t, reserves.GetSpanId(), notes.GetParentSpanId(), "what a handler publishes continues its span")
	require.Empty(t, request.GetParentSpanId(), "the trace begins with the request")
	for _, one := range []*otlp.Span{request, reserves, notes} {
		require.Equal(t, request.GetTraceId(), one.GetTraceId(), "%s is in the trace", one.GetName())
	}
	require.Equal(t, otlp.Span_SPAN_KIND_SERVER, request.GetKind())
	require.Equal(t, otlp.Span_SPAN_KIND_CONSUMER, reserves.GetKind())

	require.Equal(t, "inventory", valueOf(ofGoods.from, "service.name"), "a process of one service is named after it")
	require.Equal(t, "viscount", valueOf(ofSales.from, "service.name"))
	for _, key := range []string{"service.namespace", "service.version"} {
		require.Equal(t, valueOf(ofSales.from, key), valueOf(ofGoods.from, key), key)
		require.NotEmpty(t, valueOf(ofGoods.from, key), key)
	}
	require.NotEqual(t, valueOf(ofSales.from, "service.instance.id"), valueOf(ofGoods.from, "service.instance.id"))
}

// What OpenTelemetry's own variables say of a process wins.
func TestTheEnvironmentNamesTheProcessInTraces(t *testing.T) {
	sent := collect(t)
	emit := func(env map[string]string) error {
		for name, value := range env {
			t.Setenv(name, value)
		}
		o := app.Options{Config: config.Config{Services: []string{"orders"}, Tracing: config.Tracing{Endpoint: strings.TrimPrefix(sent.URL, "http://"), Insecure: true, SampleRatio: 1}}, Platform: true}
		tracers, shutdown, err := app.NewTracers(t.Context(), o)
		if err != nil {
			return err
		}
		_, span := tracers.Tracer("test").Start(t.Context(), "test")
		span.End()
		return shutdown(t.Context())
	}
	require.NoError(t, emit(map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "service.name=shop,service.instance.id=pod_7,deployment.environment.name=test"}))
	require.Equal(t, []string{"shop", "viscount", "pod_7", "test"}, []string{
		valueOf(sent.from, "service.name"), valueOf(sent.from, "service.namespace"), valueOf(sent.from, "service.instance.id"), valueOf(sent.from, "deployment.environment.name"),
	})
	require.NoError(t, emit(map[string]string{"OTEL_SERVICE_NAME": "sales"}))
	require.Equal(t, "sales", valueOf(sent.from, "service.name"))
	require.ErrorContains(t, emit(map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "shop"}), "OTEL_RESOURCE_ATTRIBUTES")
}
