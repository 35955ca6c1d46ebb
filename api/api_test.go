package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/transports/gochannel"
)

// platform is the whole platform in this process, and a client of it.
type platform struct {
	t    *testing.T
	url  string
	http *http.Client
}

func start(t *testing.T) *platform {
	t.Helper()
	loaded, err := config.Load(config.Source{Flags: map[string]string{"store.sqlite.dir": t.TempDir(), "http.listen": "127.0.0.1:0"}})
	require.NoError(t, err)
	a, err := app.Start(t.Context(), app.Options{Config: loaded.Config, Driver: gochannel.Driver, Platform: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, a.Stop(ctx))
	})
	return &platform{t: t, url: a.URL() + "/api/v1", http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (p *platform) send(method, path, body string, headers ...string) answer {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	require.NoError(p.t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := p.http.Do(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	a := answer{status: response.StatusCode, header: response.Header, raw: string(raw)}
	if kind := response.Header.Get("Content-Type"); strings.Contains(kind, "json") && !strings.Contains(kind, "ndjson") {
		require.NoError(p.t, json.Unmarshal(raw, &a.body), "%s", raw)
	}
	return a
}

func (p *platform) want(status int, method, path, body string, headers ...string) answer {
	p.t.Helper()
	a := p.send(method, path, body, headers...)
	require.Equal(p.t, status, a.status, "%s %s: %s", method, path, a.raw)
	return a
}

func (p *platform) eventually(what string, f func() bool) {
	p.t.Helper()
	require.Eventually(p.t, f, 20*time.Second, 5*time.Millisecond, what)
}

const address = `"shipping_address":{"street":"1 Main St","city":"Anytown","state":"CA","zip":"12345","country":"US"}`

func orderBody(id, product, rest string) string {
	return fmt.Sprintf(`{"order_id":%q,"customer_id":"cust_1","items":[{"product_id":%q,%s}],%s}`, id, product, rest, address)
}

// stocked has prod_1 for 3.50 with 10 pieces, and order_1 of two completed.
func stocked(t *testing.T) *platform {
	p := start(t)
	p.stock()
	return p
}

func (p *platform) stock() {
	p.want(201, "POST", "/products", `{"product_id":"prod_1","name":"Tea","category_id":"drinks","price":"3.50"}`)
	p.eventually("inventory knows the product", func() bool {
		return p.send("POST", "/inventory/adjust", `{"product_id":"prod_1","change":10,"adjustment_type":"restock"}`, "Idempotency-Key", "first").status == 200
	})
	p.eventually("orders knows the product", func() bool {
		return p.send("POST", "/orders", orderBody("order_1", "prod_1", `"quantity":2`)).status == 201
	})
	p.settled("order_1", "completed")
	p.eventually("the goods are shipped", func() bool { return strings.Contains(p.send("GET", "/inventory/prod_1", "").raw, `"shipped":2`) })
	p.eventually("the catalog knows what is left", func() bool { return p.send("GET", "/products/prod_1", "").body["available"] == float64(8) })
}

func (p *platform) settled(id, status string) {
	p.t.Helper()
	p.eventually(id+" is "+status, func() bool {
		o := p.send("GET", "/orders/"+id, "").body
		return o["settled"] == true && o["status"] == status
	})
}

// world is everything that a refused request must leave as it is.
func (p *platform) world() string {
	var all []string
	for _, path := range []string{"/products", "/inventory/prod_1", "/orders", "/payments", "/fulfillments", "/inventory/reservations", "/events/recorded?type=order.created", "/events/recorded?type=product.updated"} {
		all = append(all, p.send("GET", path, "").raw)
	}
	return strings.Join(all, "\n")
}

const validEvent = `{"event_id":"550e8400-e29b-41d4-a716-446655440999","correlation_id":"c","timestamp":"2026-01-01T00:00:00Z","source_service":"payment-service",
	"event_version":"1.0","event_type":"payment.failed","data":{"order_id":"order_x","reason":"declined","amount":"1.00","currency":"USD","failed_at":"2026-01-01T00:00:00Z"}}`

func TestBadInputIsRefusedClearlyAndChangesNothing(t *testing.T) {
	p := stocked(t)
	p.want(202, "POST", "/events", validEvent)
	edit := func(old, with string) string {
		require.Contains(t, validEvent, old)
		return strings.Replace(validEvent, old, with, 1)
	}
	before := p.world()
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		code, pointer      string
	}{
		"unknown product":      {"POST", "/orders", orderBody("o", "prod_9", `"quantity":1`), 422, "unknown_product", "/items/0/product_id"},
		"zero quantity":        {"POST", "/orders", orderBody("o", "prod_1", `"quantity":0`), 422, "invalid_value", "/items/0/quantity"},
		"fractional quantity":  {"POST", "/orders", orderBody("o", "prod_1", `"quantity":1.5`), 422, "invalid_number", "/items/0/quantity"},
		"quantity as text":     {"POST", "/orders", orderBody("o", "prod_1", `"quantity":"1"`), 422, "wrong_type", "/items/0/quantity"},
		"currency":             {"POST", "/orders", strings.Replace(orderBody("o", "prod_1", `"quantity":1`), `"customer_id"`, `"currency":"usd","customer_id"`, 1), 422, "invalid_value", "/currency"},
		"no lines":             {"POST", "/orders", `{"customer_id":"c","items":[],` + address + `}`, 422, "invalid_value", "/items"},
		"no address":           {"POST", "/orders", `{"customer_id":"c","items":[{"product_id":"prod_1","quantity":1}]}`, 422, "missing_field", "/shipping_address"},
		"price as number":      {"POST", "/products", `{"name":"n","category_id":"c","price":3.5}`, 422, "wrong_type", "/price"},
		"three decimals":       {"POST", "/products", `{"name":"n","category_id":"c","price":"3.501"}`, 422, "invalid_money", "/price"},
		"negative price":       {"POST", "/products", `{"name":"n","category_id":"c","price":"-3.50"}`, 422, "invalid_money", "/price"},
		"duplicate key":        {"POST", "/products", `{"name":"n","name":"m","category_id":"c","price":"1"}`, 400, "duplicate_key", "/name"},
		"malformed JSON":       {"POST", "/products", `{"name":`, 400, "malformed_json", ""},
		"a list for an object": {"POST", "/products", `[]`, 400, "not_object", ""},
		"body over the limit":  {"POST", "/products", `{"name":"` + strings.Repeat("x", 8<<20) + `"}`, 413, "too_large", ""},
		"other product":        {"POST", "/products", `{"product_id":"prod_1","name":"Other","category_id":"c","price":"1"}`, 409, "already_exists", "/product_id"},
		"change 0":             {"POST", "/inventory/adjust", `{"product_id":"prod_1","change":0,"adjustment_type":"restock"}`, 422, "invalid_value", "/change"},
		"unknown adjustment":   {"POST", "/inventory/adjust", `{"product_id":"prod_1","change":1,"adjustment_type":"magic"}`, 422, "invalid_value", "/adjustment_type"},
		"below nothing":        {"POST", "/inventory/adjust", `{"product_id":"prod_1","change":-99,"adjustment_type":"damage"}`, 409, "insufficient_stock", "/change"},
		"reserve too much":     {"POST", "/inventory/reserve", `{"product_id":"prod_1","quantity":99}`, 409, "insufficient_stock", "/quantity"},
		"release nothing":      {"POST", "/inventory/release", `{"reservation_id":"res_9","reason":"r"}`, 404, "not_found", "/reservation_id"},
		"cancel a completed":   {"POST", "/orders/order_1/cancel", ``, 409, "illegal_transition", ""},
		"cancel reason":        {"POST", "/orders/order_1/cancel", `{"reason":"mood"}`, 422, "invalid_value", "/reason"},
		"refund too much":      {"POST", "/orders/order_1/refund", `{"amount":"7.01","reason":"r"}`, 422, "invalid_value", "/amount"},
		"unknown order":        {"GET", "/orders/order_9", ``, 404, "not_found", ""},
		"unknown path":         {"GET", "/nothing", ``, 404, "not_found", ""},
		"wrong method":         {"DELETE", "/orders", ``, 405, "method_not_allowed", ""},
		"bad limit":            {"GET", "/orders?limit=1000", ``, 422, "invalid_value", ""},
		"bad cursor":           {"GET", "/orders?cursor=%21", ``, 422, "invalid_value", ""},
		"unknown event type":   {"POST", "/events", edit("payment.failed", "payment.exploded"), 422, "unknown_type", "/event_type"},
		"missing event_id":     {"POST", "/events", edit(`"event_id"`, `"id"`), 422, "missing_field", "/event_id"},
		"wrong publisher":      {"POST", "/events", edit("payment-service", "order-management-service"), 422, "wrong_publisher", "/source_service"},
		"closed vocabulary":    {"POST", "/events", edit("declined", "mood"), 422, "invalid_value", "/data/reason"},
		"id conflict":          {"POST", "/events", edit("order_x", "order_y"), 409, "id_conflict", "/event_id"},
		"one bad of two":       {"POST", "/events", "[" + strings.Replace(validEvent, "440999", "440998", 1) + "," + edit(`"c"`, `""`) + "]", 422, "invalid_value", "/correlation_id"},
		"no such contract":     {"GET", "/contracts/order.exploded", ``, 404, "unknown_type", ""},
		"no such trace":        {"GET", "/trace/nobody", ``, 404, "not_found", ""},
		"stream of nothing":    {"GET", "/events/stream?type=order.exploded", ``, 422, "unknown_type", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := &platform{t: t, url: p.url, http: p.http}
			a := p.want(c.status, c.method, c.path, c.body)
			require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
			for _, member := range []string{"type", "title", "status", "detail", "code", "correlation_id"} {
				require.Contains(t, a.body, member)
			}
			require.Equal(t, c.code, a.body["code"], a.raw)
			require.NotEmpty(t, a.body["detail"])
			if c.pointer != "" {
				first := a.body["errors"].([]any)[0].(map[string]any)
				require.Equal(t, c.pointer, first["path"], a.raw)
			}
		})
	}
	require.Equal(t, before, p.world())
	require.Equal(t, 400, p.send("GET", "/orders", "", "X-Correlation-ID", strings.Repeat("x", 129)).status)
	last := p.want(422, "POST", "/events", "["+strings.Replace(validEvent, "440999", "440997", 1)+","+edit(`"c"`, `""`)+"]")
	require.Equal(t, float64(1), last.body["errors"].([]any)[0].(map[string]any)["index"], "the bad one is named")
}

func TestARepeatedRequestGetsTheFirstAnswer(t *testing.T) {
	p := stocked(t)
	body := `{"product_id":"prod_1","change":5,"adjustment_type":"restock"}`
	first := p.want(200, "POST", "/inventory/adjust", body, "Idempotency-Key", "k1")
	again := p.want(200, "POST", "/inventory/adjust", body, "Idempotency-Key", "k1")
	require.Equal(t, first.raw, again.raw)
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	require.Empty(t, first.header.Get("Idempotency-Replayed"))
	other := p.want(422, "POST", "/inventory/adjust", strings.Replace(body, "5", "6", 1), "Idempotency-Key", "k1")
	require.Equal(t, "idempotency_key_reused", other.body["code"])

	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 8 {
		all.Go(func() {
			status := p.send("POST", "/inventory/adjust", body, "Idempotency-Key", "k2").status
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	all.Wait()
	require.Equal(t, 8, statuses[200]+statuses[409], "%v", statuses)
	require.Contains(t, p.send("GET", "/inventory/prod_1", "").raw, `"adjusted":20`, "10, and each key once")
}

func TestProductsHaveVersionsAndPlannedPrices(t *testing.T) {
	p := stocked(t)
	got := p.want(200, "GET", "/products/prod_1", "")
	require.Equal(t, `"1"`, got.header.Get("ETag"))
	put := func(price, more string) string {
		return fmt.Sprintf(`{"name":"Tea","category_id":"drinks","price":%q%s}`, price, more)
	}
	p.want(200, "PUT", "/products/prod_1", put("3.50", ""))
	require.Equal(t, `"1"`, p.want(200, "GET", "/products/prod_1", "").header.Get("ETag"), "what changes nothing is no version")
	require.NotContains(t, p.want(200, "GET", "/events/recorded?type=product.updated", "").raw, "prod_1")
	p.want(200, "PUT", "/products/prod_1", put("4.00", ""), "If-Match", `"1"`)
	require.Equal(t, "precondition_failed", p.want(412, "PUT", "/products/prod_1", put("5.00", ""), "If-Match", `"1"`).body["code"])
	soon := time.Now().Add(300 * time.Millisecond).UTC().Format(time.RFC3339Nano)
	p.want(200, "PUT", "/products/prod_1", put("4.50", `,"effective_date":"`+soon+`"`))
	require.Contains(t, p.want(200, "GET", "/events/recorded?type=product.price_changed", "").raw, soon)
	p.eventually("the price holds", func() bool { return p.send("GET", "/products/prod_1", "").body["price"] == "4.50" })
	p.want(204, "DELETE", "/products/prod_1?reason=discontinued", "")
	p.want(404, "GET", "/products/prod_1", "")
}

func TestListsArePaged(t *testing.T) {
	p := start(t)
	for i := range 5 {
		p.want(201, "POST", "/products", fmt.Sprintf(`{"product_id":"prod_%d","name":"n","category_id":"c","price":"1"}`, i))
	}
	var seen []string
	for path := "/products?limit=2"; path != ""; {
		page := p.want(200, "GET", path, "")
		for _, item := range page.body["items"].([]any) {
			seen = append(seen, item.(map[string]any)["product_id"].(string))
		}
		path = ""
		if cursor, more := page.body["next_cursor"].(string); more {
			path = "/products?limit=2&cursor=" + cursor
		}
	}
	require.Equal(t, []string{"prod_0", "prod_1", "prod_2", "prod_3", "prod_4"}, seen)
}

func TestCorrelation(t *testing.T) {
	p := stocked(t)
	require.Equal(t, "mine", p.want(200, "GET", "/products", "", "X-Correlation-ID", "mine").header.Get("X-Correlation-ID"))
	p.want(201, "POST", "/orders", orderBody("order_2", "prod_1", `"quantity":1`), "X-Correlation-ID", "of_the_order")
	p.settled("order_2", "completed")
	refund := p.want(202, "POST", "/orders/order_2/refund", `{"reason":"damaged"}`, "X-Correlation-ID", "of_the_request")
	require.Equal(t, "of_the_order", refund.header.Get("X-Correlation-ID"))
	p.settled("order_2", "refunded")
	var trace answer
	p.eventually("everybody has heard of it", func() bool {
		trace = p.send("GET", "/trace/of_the_order", "")
		return len(trace.body["awaited"].([]any)) == 0
	})
	require.Contains(t, trace.raw, "order.refunded", "an order keeps its correlation for life")
	byOrder := p.want(200, "GET", "/trace/order_2", "")
	require.Equal(t, trace.body["events"], byOrder.body["events"])
}

func TestForeignEventsAreAcceptedOnceAndStreamed(t *testing.T) {
	p := stocked(t)
	lines := p.stream("/events/stream?type=payment.failed,inventory.reserved&from=NOW", "")
	p.want(202, "POST", "/events?dry_run=true", validEvent)
	first := p.want(202, "POST", "/events", validEvent)
	require.Contains(t, first.raw, `"accepted"`)
	require.Contains(t, p.want(202, "POST", "/events", validEvent).raw, `"duplicate"`)

	id, data := next(t, lines)
	require.Contains(t, data, "order_x")
	legacy, err := os.ReadFile("../events/testdata/inventory.reserved.json")
	require.NoError(t, err)
	p.want(202, "POST", "/events", string(legacy))
	_, data = next(t, lines)
	require.Contains(t, data, `"event_type": "inventory.reserved"`, "the old dialect is rewritten")

	resumed := p.stream("/events/stream?type=payment.failed,inventory.reserved", id)
	_, data = next(t, resumed)
	require.Contains(t, data, "inventory.reserved", "what came after Last-Event-ID")
	all := p.stream("/events/stream?from=BEGINNING", "")
	for !strings.Contains(data, "product.created") {
		_, data = next(t, all)
	}
	p.eventually("orders ignores a foreign event about no order of its own", func() bool {
		return strings.Contains(p.send("GET", "/trace/550e8400-e29b-41d4-a716-446655440999", "").raw, `"state":"ignored"`)
	})
}

// stream reads server-sent events: ids and data in turn.
func (p *platform) stream(path, last string) <-chan [2]string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, nil)
	require.NoError(p.t, err)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	response, err := p.http.Do(request)
	require.NoError(p.t, err)
	require.Equal(p.t, 200, response.StatusCode)
	received := make(chan [2]string, 100)
	p.t.Cleanup(func() { response.Body.Close() })
	go func() {
		defer close(received)
		lines := bufio.NewScanner(response.Body)
		id := ""
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				id = text
			}
			if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				received <- [2]string{id, text}
			}
		}
	}()
	return received
}

func next(t *testing.T, received <-chan [2]string) (id, data string) {
	t.Helper()
	select {
	case e, open := <-received:
		require.True(t, open, "the stream ended")
		return e[0], e[1]
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was streamed")
		return "", ""
	}
}

func TestAPausedConsumerStoresWhatArrives(t *testing.T) {
	p := stocked(t)
	p.want(422, "POST", "/consumers/payments/pause", `{}`)
	p.want(200, "POST", "/consumers/payments/pause", `{"reason":"maintenance"}`)
	p.want(201, "POST", "/orders", orderBody("order_2", "prod_1", `"quantity":1`))
	p.eventually("payments waits", func() bool { return strings.Contains(p.send("GET", "/trace/order_2", "").raw, `"reason":"paused"`) })
	status := p.want(200, "GET", "/status", "")
	require.Contains(t, status.raw, `"paused":true`)
	p.want(200, "POST", "/consumers/payments/resume", `{"reason":"done"}`)
	p.settled("order_2", "completed")
}

func TestProbesMetricsAndContracts(t *testing.T) {
	p := stocked(t)
	root := &platform{t: t, url: strings.TrimSuffix(p.url, "/api/v1"), http: p.http}
	root.want(200, "GET", "/livez", "")
	require.Equal(t, "ready", root.want(200, "GET", "/readyz", "").body["status"])
	metrics := root.want(200, "GET", "/metrics", "").raw
	for _, name := range []string{
		`viscount_events_published_total{event_type="order.created",service="orders"} 1`, `viscount_events_handled_total{event_type="order.created",outcome="applied",service="inventory"} 1`,
		"viscount_event_latency_seconds", "viscount_handle_seconds", "viscount_parked", "viscount_held_keys", "viscount_outbox_pending", "viscount_outbox_oldest_seconds", "viscount_store_commits_total", `viscount_transport_up{driver="gochannel"} 1`, "viscount_lag_events", "viscount_lag_seconds",
	} {
		require.Contains(t, metrics, name)
	}
	require.Len(t, p.want(200, "GET", "/contracts", "").body["items"], len(events.Platform().All()))
	committed, err := os.ReadFile("../contracts/schemas/order.created.v1.schema.json")
	require.NoError(t, err)
	require.Equal(t, string(committed), p.want(200, "GET", "/contracts/order.created/schema", "").raw)
	require.Contains(t, p.want(200, "GET", "/contracts/order.created", "").raw, `"path":"shipping_address.street","type":"a string","rule":"text","personal":true`)
}

func TestTheCatalogueForPeopleIsServed(t *testing.T) {
	p := start(t)
	p.url = strings.TrimSuffix(p.url, "/api/v1")
	index := p.want(200, "GET", "/contracts", "") // sent on to /contracts/
	require.Contains(t, index.raw, `href="events/order.created.html"`)
	require.Contains(t, index.header.Get("Content-Type"), "text/html")
	require.Contains(t, index.header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Contains(t, p.want(200, "GET", "/contracts/events/order.created.html", "").raw, "shipping_address.street")
	require.Contains(t, p.want(200, "GET", "/contracts/style.css", "").header.Get("Content-Type"), "text/css")
	p.want(404, "GET", "/contracts/events/order.exploded.html", "")
}
