package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/simulator"
)

var everyService = []string{"catalog", "customers", "fulfillment", "inventory", "orders", "payments"}

func TestOneURLServesServicesOfSeveralProcesses(t *testing.T) {
	c := startCluster(t)
	front, middle, back := c.at[0], c.at[1], c.at[2]
	front.stock() // commands of inventory and orders at a process that runs neither

	put := `{"name":"Tea","category_id":"drinks","price":"4.00"}`
	require.Equal(t, `"1"`, back.want(200, "GET", "/products/prod_1", "").header.Get("ETag"))
	require.Equal(t, `"2"`, back.want(200, "PUT", "/products/prod_1", put, "If-Match", `"1"`).header.Get("ETag"))
	stale := back.want(412, "PUT", "/products/prod_1", put, "If-Match", `"1"`)
	require.Equal(t, "application/problem+json", stale.header.Get("Content-Type"))
	require.Equal(t, "precondition_failed", stale.body["code"])

	adjust := `{"product_id":"prod_1","change":5,"adjustment_type":"restock"}`
	first := front.want(200, "POST", "/inventory/adjust", adjust, "Idempotency-Key", "k", "Authorization", "Bearer a")
	again := back.want(200, "POST", "/inventory/adjust", adjust, "Idempotency-Key", "k", "Authorization", "Bearer a")
	require.Equal(t, first.raw, again.raw)
	require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
	other := middle.want(200, "POST", "/inventory/adjust", adjust, "Idempotency-Key", "k", "Authorization", "Bearer b")
	require.Empty(t, other.header.Get("Idempotency-Replayed"), "another caller's key")

	made := front.want(201, "POST", "/orders", orderBody("order_2", "prod_1", `"quantity":1`), "X-Correlation-ID", "mine")
	require.Equal(t, []string{"mine"}, made.header.Values("X-Correlation-ID"))
	require.Equal(t, "/api/v1/orders/order_2", made.header.Get("Location"))
	front.settled("order_2", "completed")
	front.want(404, "GET", "/orders/a%3Fb", "")
	require.Equal(t, "invalid_value", front.want(422, "GET", "/orders?limit=1000", "").body["code"], "the query goes along")
	require.Equal(t, float64(413), front.want(413, "POST", "/orders", strings.Repeat(" ", 1<<20+1)).body["status"])

	front.want(422, "POST", "/consumers/payments/pause", `{}`)
	front.want(200, "POST", "/consumers/payments/pause", `{"reason":"maintenance"}`)
	require.Contains(t, middle.want(200, "GET", "/status", "").raw, `"paused":true`)
	front.want(200, "POST", "/consumers/payments/resume", `{"reason":"done"}`)
	front.want(404, "POST", "/consumers/nobody/pause", `{"reason":"r"}`)

	report, err := simulator.Run(t.Context(), simulator.Options{URL: strings.TrimSuffix(front.url, "/api/v1"), Orders: 60, Products: 20, Seed: 5, SettleTimeout: time.Minute})
	require.NoError(t, err)
	for _, invariant := range report.Invariants {
		require.True(t, invariant.Held, "%s: %s", invariant.Name, invariant.Detail)
	}
}

func TestOperationsAnswerForAllProcesses(t *testing.T) {
	c := startCluster(t)
	c.at[0].stock()
	c.at[0].eventually("nothing is under way", func() bool {
		raw := c.at[0].send("GET", "/status", "").raw
		return strings.Count(raw, `"lag_events":0`) == len(everyService) && strings.Count(raw, `"in_flight":0`) == len(everyService)
	})
	status := c.same(t, "/status")
	require.Equal(t, everyService, names(status.body["services"], "service"))
	require.Empty(t, status.body["degraded"])
	require.NotContains(t, status.raw, "backlog", "what processes tell each other is not for clients")
	require.Equal(t, []string{"inventory", "orders"}, names(c.at[1].want(200, "GET", "/status", "", "Viscount-Forwarded", "1").body["services"], "service"))

	trace := c.same(t, "/trace/order_1")
	for _, part := range []string{"order.created", "inventory.reserved", "payment.processed", "fulfillment.completed", "order.completed", `"awaited":[]`} {
		require.Contains(t, trace.raw, part)
	}
	require.NotContains(t, trace.raw, "unreachable")
	root := trace.body["events"].([]any)[0].(map[string]any)
	require.Equal(t, []string{"inventory", "payments"}, names(root["deliveries"], "service"))
	byEvent := c.same(t, "/trace/"+root["event_id"].(string))
	require.Equal(t, trace.body["events"], byEvent.body["events"])
	c.at[0].want(404, "GET", "/trace/nobody", "")
	require.NotContains(t, c.at[0].send("GET", "/trace/order_1", "", "Viscount-Forwarded", "1").raw, "order.created")

	require.Contains(t, c.same(t, "/events/recorded?type=payment.processed").raw, "order_1")
	require.Contains(t, c.same(t, "/events/recorded?type=product.created").raw, "prod_1")
	page := c.same(t, "/events/recorded?type=order.created")
	require.Len(t, page.body["items"], 1)
	require.Empty(t, c.same(t, "/events/recorded?type=order.created&after="+page.body["next_after"].(string)).body["items"])
}

func TestAStreamMergesTheOutboxesOfAllProcesses(t *testing.T) {
	c := startCluster(t)
	c.at[2].stock()
	all := c.at[0].stream("/events/stream?from=BEGINNING", "")
	seen := map[string]bool{}
	var middle, data string
	for !seen["inventory.updated"] || !seen["order.completed"] || !seen["payment.processed"] {
		var id string
		id, data = next(t, all)
		_, after, _ := strings.Cut(strings.ReplaceAll(data, " ", ""), `"event_type":"`)
		name, _, _ := strings.Cut(after, `"`)
		seen[name] = true
		if name == "order.created" {
			middle = id
			require.True(t, seen["product.created"], "causes come first")
			require.False(t, seen["order.completed"])
		}
	}
	resumed := c.at[1].stream("/events/stream?type=product.created,order.created,order.completed", middle)
	_, data = next(t, resumed)
	require.Contains(t, data, "order.completed", "any process goes on where another stopped")

	news := c.at[0].stream("/events/stream?type=order.created,payment.processed", "")
	c.processes[1].stop()
	p := c.processes[1].start()
	p.want(201, "POST", "/orders", orderBody("order_2", "prod_1", `"quantity":1`))
	_, one := next(t, news)
	_, two := next(t, news)
	require.Contains(t, one+two, "order.created", "a process that comes back is followed again")
	require.Contains(t, one+two, "payment.processed", "which comes first is not promised: they are of two publishers")
}

func TestEventsAreAcceptedByTheServicesThatOwnThem(t *testing.T) {
	c := startCluster(t)
	failed := func(n int, order string) string {
		return strings.NewReplacer("446655440999", fmt.Sprintf("4466554400%02d", n), "order_x", order).Replace(validEvent)
	}
	recorded := func() string { return c.same(t, "/events/recorded?type=payment.failed").raw }
	front := c.at[0]

	front.want(202, "POST", "/events", failed(1, "order_x"))
	require.Contains(t, front.want(202, "POST", "/events", failed(1, "order_x")).raw, `"duplicate"`)
	product := strings.NewReplacer("payment.failed", "product.deleted", "payment-service", "product-catalog-service").Replace(failed(2, "x"))
	bad := front.want(422, "POST", "/events", "["+failed(3, "order_x")+","+product+"]")
	require.Equal(t, float64(1), bad.body["errors"].([]any)[0].(map[string]any)["index"])

	conflict := front.want(409, "POST", "/events", "["+failed(4, "order_x")+","+failed(1, "order_y")+"]")
	require.Equal(t, "id_conflict", conflict.body["code"])
	require.Equal(t, float64(1), conflict.body["errors"].([]any)[0].(map[string]any)["index"], "as the caller counts")
	front.want(202, "POST", "/events?dry_run=true", "["+failed(5, "order_x")+"]")
	require.NotContains(t, recorded(), "446655440004")
	require.NotContains(t, recorded(), "446655440005")

	// Two owners, neither of them here: both, or none.
	legacy := legacyReserved(t)
	front.want(409, "POST", "/events", "["+legacy+","+failed(1, "order_y")+"]")
	require.NotContains(t, c.same(t, "/events/recorded?type=inventory.reserved").raw, "inventory.reserved")
	front.want(202, "POST", "/events", "["+legacy+","+failed(6, "order_x")+"]")
	require.Contains(t, c.same(t, "/events/recorded?type=inventory.reserved").raw, "inventory.reserved")
	require.Contains(t, recorded(), "446655440006")
	misled := front.want(508, "POST", "/events", failed(7, "order_x"), "Viscount-Forwarded", "1")
	require.Equal(t, "forwarding_loop", misled.body["code"])

	c.processes[2].stop()
	lost := front.want(503, "POST", "/events", "["+strings.Replace(legacy, "550e8400", "550e8401", 1)+","+failed(8, "order_x")+"]")
	require.Equal(t, "peer_unreachable", lost.body["code"])
	require.Equal(t, 1, strings.Count(c.at[1].want(200, "GET", "/events/recorded?type=inventory.reserved", "").raw, "inventory.reserved"), "nothing was accepted")
}

// legacyReserved is an inventory.reserved as the running services write it.
func legacyReserved(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../events/testdata/inventory.reserved.json")
	require.NoError(t, err)
	return string(raw)
}

// peersOf runs the catalog with other services at the URLs given.
func peersOf(t *testing.T, peers map[string][]string) *platform {
	t.Helper()
	p := newProcess(t, alone(), "catalog")
	p.peers = peers
	return p.start()
}

func TestARequestGoesThroughUnchanged(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("X-Correlation-ID", "the order's")
		w.Header().Set("X-More", "kept")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, `{"as":  "it is"}`)
	})
	p := peersOf(t, map[string][]string{"orders": {f.URL + "/below"}})
	a := p.send("POST", "/orders/a%3Fb/cancel", `{ "reason":"customer_request"}`, "Authorization", "Bearer t", "Idempotency-Key", "k", "X-Correlation-ID", "mine", "If-Match", `"3"`, "Content-Type", "application/json")
	require.Equal(t, http.StatusTeapot, a.status)
	require.Equal(t, `{"as":  "it is"}`, a.raw)
	require.Equal(t, []string{"the order's"}, a.header.Values("X-Correlation-ID"))
	require.Equal(t, "kept", a.header.Get("X-More"))
	require.Equal(t, []string{`POST /below/api/v1/orders/a%3Fb/cancel { "reason":"customer_request"}`}, f.requests())
	for name, value := range map[string]string{"Authorization": "Bearer t", "Idempotency-Key": "k", "X-Correlation-ID": "mine", "If-Match": `"3"`, "Viscount-Forwarded": "1", "Content-Type": "application/json"} {
		require.Equal(t, []string{value}, f.last.Header.Values(name), name)
	}
	p.send("GET", "/orders?limit=2&customer_id=a%26b", "")
	require.Equal(t, "GET /below/api/v1/orders?limit=2&customer_id=a%26b", strings.TrimSpace(f.requests()[1]))
}

// TestAnUnknownParameterIsRefused: a misspelled filter would show everything, and a misspelled dry_run would publish.
func TestAnUnknownParameterIsRefused(t *testing.T) {
	p := start(t)
	for request, detail := range map[string]string{
		"GET /products?categry=drinks":         `"categry" is no parameter here; choose from category, active, limit, cursor`,
		"GET /dead-letters?stats=dead":         `"stats" is no parameter here; choose from service`,
		"POST /events?dryrun=true":             `"dryrun" is no parameter here; choose from dry_run`,
		"POST /consumers/orders/pause?service": `"service" is no parameter here; there are none`,
	} {
		method, path, _ := strings.Cut(request, " ")
		a := p.want(422, method, path, "")
		require.Equal(t, "invalid_value", a.body["code"], request)
		require.Contains(t, a.body["detail"], detail, request)
	}
}

func TestARequestThatWasPassedOnIsNotPassedOnAgain(t *testing.T) {
	one, two := newProcess(t, alone(), "catalog"), newProcess(t, alone(), "inventory")
	one.peers["orders"], two.peers["orders"] = []string{"http://" + two.listen}, []string{"http://" + one.listen}
	p := one.start()
	two.start()
	for _, path := range []string{"/orders", "/events/recorded?type=order.created"} {
		a := p.want(508, "GET", path, "")
		require.Equal(t, "forwarding_loop", a.body["code"])
		require.Contains(t, a.body["detail"], "http.peers.orders")
		require.Contains(t, a.body["detail"], two.listen, "the process that was named")
	}
	require.Contains(t, p.want(200, "GET", "/status", "").raw, "orders: does not run at http://"+two.listen)
	itself := newProcess(t, alone(), "catalog")
	itself.peers["orders"] = []string{"http://" + itself.listen}
	require.Equal(t, "forwarding_loop", itself.start().want(508, "GET", "/orders", "").body["code"])
}

func TestAnUnreachablePeerIsNamed(t *testing.T) {
	dead := "http://" + freeAddress(t)
	p := peersOf(t, map[string][]string{"orders": {dead}})
	for _, c := range [][3]string{
		{"GET", "/orders", ""}, {"POST", "/orders", `{}`}, {"GET", "/trace/order_1", ""}, {"GET", "/events/recorded?type=order.created", ""}, {"GET", "/events/stream", ""},
		{"POST", "/consumers/orders/pause", `{"reason":"r"}`},
	} {
		a := p.want(503, c[0], c[1], c[2])
		require.Equal(t, "peer_unreachable", a.body["code"])
		for _, part := range []string{"orders", dead, "http.peers"} {
			require.Contains(t, a.body["detail"], part)
		}
	}
	status := p.want(200, "GET", "/status", "")
	require.Contains(t, status.body["degraded"].([]any)[0], dead)
	require.Equal(t, []string{"catalog", "orders"}, names(status.body["services"], "service"))
	require.Contains(t, status.raw, `"ready":false`)
	require.Equal(t, "service_elsewhere", p.want(503, "GET", "/payments", "").body["code"], "of which nothing is known")

	p.want(201, "POST", "/products", `{"product_id":"prod_1","name":"Tea","category_id":"drinks","price":"3.50"}`)
	trace := p.want(200, "GET", "/trace/prod_1", "")
	require.Contains(t, trace.raw, "product.created", "what is known is told")
	require.Contains(t, trace.body["unreachable"].([]any)[0], dead)
	response, err := p.http.Get(p.url + "/events/stream?from=BEGINNING")
	require.NoError(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), ": service orders was not reached at "+dead, "a comment tells what is missing")
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
	}
	require.Contains(t, lines.Text(), "prod_1")
}

func TestAnotherInstanceIsTriedWhenNothingWasReceived(t *testing.T) {
	fine := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{}`) }
	dead := "http://" + freeAddress(t)
	t.Run("no connection", func(t *testing.T) {
		good := newFake(t, fine)
		p := peersOf(t, map[string][]string{"orders": {dead, good.URL}})
		p.want(200, "POST", "/orders", `{"a":1}`)
		p.want(200, "GET", "/orders", "")
		require.Equal(t, []string{`POST /api/v1/orders {"a":1}`, "GET /api/v1/orders "}, good.requests())
	})
	t.Run("no answer", func(t *testing.T) {
		bad, good := newFake(t, hangUp), newFake(t, fine)
		p := peersOf(t, map[string][]string{"orders": {bad.URL, good.URL}})
		for _, body := range []string{`{"a":1}`, ""} {
			a := p.want(502, "POST", "/orders", body, "Idempotency-Key", "k")
			require.Equal(t, "peer_unreachable", a.body["code"])
			require.Contains(t, a.body["detail"], "may have been applied")
		}
		require.Len(t, bad.requests(), 2)
		require.Empty(t, good.requests(), "it may have been received: only the caller may repeat it")
		p.want(200, "GET", "/orders", "")
		require.Len(t, good.requests(), 1)
	})
	t.Run("a connection that was used before", func(t *testing.T) {
		var bad *fake
		bad = newFake(t, func(w http.ResponseWriter, r *http.Request) {
			if len(bad.requests()) == 1 {
				fine(w, r)
				return
			}
			hangUp(w, r)
		})
		good := newFake(t, fine)
		p := peersOf(t, map[string][]string{"orders": {bad.URL, good.URL}})
		p.want(200, "POST", "/orders", `{}`)
		p.want(502, "POST", "/orders", ``, "Idempotency-Key", "k")
		require.Len(t, bad.requests(), 2)
		require.Empty(t, good.requests())
	})
}

func TestAnAnswerThatBreaksOffIsNoWholeAnswer(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "{")
		hangUp(w, r)
	})
	p := peersOf(t, map[string][]string{"orders": {f.URL}})
	response, err := p.http.Get(p.url + "/orders")
	if err == nil {
		_, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	require.Error(t, err)
}

func TestInstancesOfOneServiceAreNotCountedTwice(t *testing.T) {
	instance := func(id string, ready bool, inFlight, applied int) string {
		return fmt.Sprintf(`{"profile":"local","instance":%q,"degraded":["%s lost its transport"],"services":[
			{"service":"orders","ready":%t,"in_flight":%d,"applied":%d,"dead":2,"lag_events":99,"outbox_pending":4,"hears":["ecommerce.product.created"],"backlog":{"ecommerce.order.created":{"events":4,"oldest_seconds":2.5}}}]}`,
			id, id, ready, inFlight, applied)
	}
	answers := map[string]string{"/a": instance("a", false, 1, 0), "/b": instance("b", true, 10, 40), "/b2": instance("b", true, 10, 40)}
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, answers[strings.TrimSuffix(r.URL.Path, "/api/v1/status")])
	})
	p := peersOf(t, map[string][]string{"orders": {f.URL + "/a", f.URL + "/b", f.URL + "/b2"}, "inventory": {f.URL + "/b"}})
	atStart := len(f.requests()) // a new service asked for what was recorded before it
	status := p.want(200, "GET", "/status", "", "Authorization", "Bearer t")
	require.Len(t, f.requests()[atStart:], 3, "each URL once")
	require.Equal(t, "Bearer t", f.last.Header.Get("Authorization"))
	var orders map[string]any
	for _, one := range status.body["services"].([]any) {
		if one := one.(map[string]any); one["service"] == "orders" {
			orders = one
		}
	}
	require.Equal(t, float64(11), orders["in_flight"], "summed, and one that answers at two URLs is one")
	require.Equal(t, float64(40), orders["applied"], "of the database, which they share")
	require.Equal(t, float64(2), orders["dead"])
	require.Equal(t, float64(4), orders["outbox_pending"])
	require.Equal(t, float64(0), orders["lag_events"], "catalog owes it nothing")
	require.Equal(t, true, orders["ready"])
	require.ElementsMatch(t, []any{"inventory: does not run at " + f.URL + "/b, as http.peers says", "a lost its transport", "b lost its transport"}, status.body["degraded"])
}

func TestErasureReachesServicesOfOtherProcesses(t *testing.T) {
	c := startCluster(t)
	front, back := c.at[0], c.at[2]
	front.stock()
	require.Contains(t, front.want(200, "GET", "/events/recorded?type=order.created", "").raw, "1 Main St")
	answer := back.want(202, "DELETE", "/customers/cust_1/personal-data", "") // asked where the customer service does not run
	require.Equal(t, false, answer.body["complete"], "the cluster does not run the whole platform")
	done := map[string]bool{}
	for _, item := range answer.body["services"].([]any) {
		one := item.(map[string]any)
		if one["erased_at"] != nil {
			done[one["service"].(string)] = true
		} else {
			require.Contains(t, one["detail"], "http.peers does not say where it does")
		}
	}
	for _, service := range everyService {
		require.True(t, done[service], service)
	}
	require.NotContains(t, front.want(200, "GET", "/events/recorded?type=order.created", "").raw, "1 Main St")
	require.Equal(t, answer.body["complete"], front.want(200, "GET", "/customers/cust_1/personal-data", "").body["complete"])
	front.want(404, "GET", "/customers/cust_9/personal-data", "")

	c.processes[1].stop()
	lost := front.want(202, "DELETE", "/customers/cust_1/personal-data", "")
	require.Contains(t, lost.raw, "service orders was not reached")
	c.processes[1].start()
	again := front.want(202, "DELETE", "/customers/cust_1/personal-data", "")
	require.NotContains(t, again.raw, "was not reached", "repeated, it is done")
}
