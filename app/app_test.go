package app_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/gochannel"
)

// start runs the platform in this process.
func start(t *testing.T, dir string, change func(*app.Options)) *app.App {
	t.Helper()
	loaded, err := config.Load(config.Source{Flags: map[string]string{"store.sqlite.dir": dir, "http.listen": "127.0.0.1:0"}})
	require.NoError(t, err)
	o := app.Options{Config: loaded.Config, Driver: gochannel.Driver, Platform: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if change != nil {
		change(&o)
	}
	a, err := app.Start(t.Context(), o)
	require.NoError(t, err)
	return a
}

func stop(t *testing.T, a *app.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, a.Stop(ctx))
}

// call sends a request and answers its status and body.
func call(t *testing.T, a *app.App, method, path, body string) (int, map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, a.URL()+"/api/v1"+path, strings.NewReader(body))
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	answer := map[string]any{}
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &answer), "%s", raw)
	}
	return response.StatusCode, answer
}

// order sells one piece and waits until the order is settled.
func order(t *testing.T, a *app.App, id string) {
	t.Helper()
	status, _ := call(t, a, http.MethodPost, "/products", `{"product_id":"prod_1","name":"Tea","category_id":"drinks","price":"3.50"}`)
	require.Equal(t, http.StatusCreated, status)
	require.Eventually(t, func() bool {
		status, _ := call(t, a, http.MethodPost, "/inventory/adjust", `{"product_id":"prod_1","change":5,"adjustment_type":"restock"}`)
		return status == http.StatusOK
	}, 10*time.Second, 5*time.Millisecond)
	require.Eventually(t, func() bool {
		status, _ := call(t, a, http.MethodPost, "/orders", `{"order_id":"`+id+`","customer_id":"cust_1","items":[{"product_id":"prod_1","quantity":1}],
			"shipping_address":{"street":"1 Secret Street","city":"Anytown","state":"","zip":"12345","country":"US"}}`)
		return status == http.StatusCreated
	}, 10*time.Second, 5*time.Millisecond)
	settled(t, a, id, "completed")
}

func settled(t *testing.T, a *app.App, id, as string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, o := call(t, a, http.MethodGet, "/orders/"+id, "")
		return o["settled"] == true && o["status"] == as
	}, 20*time.Second, 5*time.Millisecond)
}

func TestAnOrderSurvivesARestartAndNothingIsLeftRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	a := start(t, dir, nil)
	order(t, a, "order_1")
	stop(t, a)

	a = start(t, dir, nil)
	settled(t, a, "order_1", "completed")
	status, _ := call(t, a, http.MethodPost, "/orders/order_1/refund", `{"reason":"damaged"}`)
	require.Equal(t, http.StatusAccepted, status)
	settled(t, a, "order_1", "refunded")
	stop(t, a)
}

func TestEveryHandlerStandsOnTheMessageRouter(t *testing.T) {
	a := start(t, t.TempDir(), nil)
	defer stop(t, a)
	var want []string
	for _, s := range a.Services() {
		for _, r := range s.Consumer().Routes {
			want = append(want, s.Name()+"/"+r.Contract.Type)
		}
	}
	require.NotEmpty(t, want)
	require.ElementsMatch(t, want, a.Router().Handlers())
}

func TestOneTraceFromTheRequestToTheLastEvent(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	a := start(t, t.TempDir(), func(o *app.Options) { o.Tracers = provider })
	defer stop(t, a)
	order(t, a, "order_1")

	ofOrder := func() (trace string, processed map[string]bool) {
		processed = map[string]bool{}
		all := spans.GetSpans()
		for _, s := range all {
			if s.Name == "POST /api/v1/orders" {
				trace = s.SpanContext.TraceID().String()
			}
		}
		for _, s := range all {
			if s.SpanContext.TraceID().String() == trace {
				processed[s.Name+"@"+group(s.Attributes)] = true
			}
		}
		return trace, processed
	}
	want := []string{
		"POST /api/v1/orders@", "process order.created@inventory", "process order.created@payments", "process inventory.reserved@orders", "process order.validated@payments",
		"process order.validated@fulfillment", "job authorise@", "job capture@", "job send@", "process payment.processed@orders", "process fulfillment.completed@orders",
		"process order.completed@inventory", "process inventory.updated@catalog",
	}
	require.Eventually(t, func() bool {
		_, processed := ofOrder()
		for _, name := range want {
			if !processed[name] {
				return false
			}
		}
		return true
	}, 10*time.Second, 10*time.Millisecond, "one trace holds every step")
}

func group(attributes []attribute.KeyValue) string {
	for _, a := range attributes {
		if a.Key == "messaging.consumer.group.name" {
			return a.Value.AsString()
		}
	}
	return ""
}

// journal is a log that several goroutines write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Split(strings.TrimSpace(j.text.String()), "\n")
}

func TestEveryPublishedEventIsLoggedOnceAndAddressesNever(t *testing.T) {
	var log journal
	a := start(t, t.TempDir(), func(o *app.Options) { o.Logger = app.NewLogger(config.Log{Level: "debug", Format: "json"}, &log) })
	order(t, a, "order_1")
	stop(t, a)
	seen := map[string]int{}
	for _, line := range log.lines() {
		require.NotContains(t, line, "Secret Street")
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		if entry["msg"] != "event published" {
			continue
		}
		for _, field := range []string{"event_type", "event_id", "correlation_id", "entity_id"} {
			require.NotEmpty(t, entry[field], field)
		}
		if entry["entity_id"] == "order_1" {
			seen[entry["event_type"].(string)]++
		}
	}
	require.Equal(t, map[string]int{
		"order.created": 1, "inventory.reserved": 1, "order.validated": 1, "payment.processed": 1, "fulfillment.completed": 1, "order.completed": 1,
	}, seen)
}
