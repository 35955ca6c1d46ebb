package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/driver"
)

// troubled is the platform in one process and, in another, a consumer that fails while broken holds.
type troubled struct {
	front, back *platform
	rewards     *process
	broken      *atomic.Bool
}

func startTroubled(t *testing.T) troubled {
	t.Helper()
	broken := &atomic.Bool{}
	broken.Store(true)
	b := &bus{nodes: map[string]driver.Transport{}}
	whole := newProcess(t, b.driver("platform"), "all")
	rewards := newProcess(t, b.driver("rewards"), "rewards")
	rewards.own = []router.Consumer{{Name: "rewards", Source: "rewards-service", Routes: []router.Route{
		router.On(func(_ context.Context, _ *store.Tx, e events.Event[events.OrderCreated]) error {
			if broken.Load() {
				return fmt.Errorf("no account for order %s", e.Data.OrderID)
			}
			return nil
		}),
		router.On(func(context.Context, *store.Tx, events.Event[events.OrderCompleted]) error { return nil }),
	}}}
	whole.peers = map[string][]string{"rewards": {"http://" + rewards.listen}}
	for _, name := range everyService {
		rewards.peers[name] = []string{"http://" + whole.listen}
	}
	at := troubled{back: rewards.start(), front: whole.start(), rewards: rewards, broken: broken}
	at.front.stock()
	for _, id := range []string{"order_2", "order_3"} {
		at.front.want(201, "POST", "/orders", orderBody(id, "prod_1", `"quantity":1`))
		at.front.settled(id, "completed")
	}
	at.front.eventually("the consumer fails", func() bool {
		return strings.Contains(at.front.send("GET", "/dead-letters/groups", "").raw, `"count":3,`) && len(at.front.want(200, "GET", "/waiting", "").body["items"].([]any)) == 3
	})
	return at
}

// count is a number of the consumer's status.
func (at troubled) count(name string) int {
	for _, service := range at.front.send("GET", "/status", "").body["services"].([]any) {
		if one := service.(map[string]any); one["service"] == "rewards" {
			return int(one[name].(float64))
		}
	}
	return -1
}

// others are how many events the other services have applied and recognised as duplicates, once nothing is under way.
func (at troubled) others() map[string]any {
	counts := map[string]any{}
	at.front.eventually("nothing is under way", func() bool {
		quiet := true
		for _, service := range at.front.send("GET", "/status", "").body["services"].([]any) {
			one := service.(map[string]any)
			quiet = quiet && one["lag_events"] == float64(0) && one["in_flight"] == float64(0) && one["outbox_pending"] == float64(0)
			if one["service"] != "rewards" {
				counts[one["service"].(string)] = []any{one["applied"], one["duplicates"]}
			}
		}
		return quiet
	})
	return counts
}

func TestDeadLettersOfAllProcessesAreListedAtEach(t *testing.T) {
	at := startTroubled(t)
	list := at.front.want(200, "GET", "/dead-letters", "")
	require.Equal(t, list.raw, at.back.want(200, "GET", "/dead-letters", "").raw, "at each process")
	items := list.body["items"].([]any)
	require.Len(t, items, 3)
	first := items[0].(map[string]any)
	require.Equal(t, "order.created", first["event_type"])
	require.Equal(t, "handler_failed", first["code"])
	require.Equal(t, float64(1), first["held_behind"])
	require.Equal(t, true, first["holds_key"])
	require.Contains(t, first["id"], "rewards-")

	var paged []any
	for cursor := ""; ; {
		page := at.front.want(200, "GET", "/dead-letters?limit=1&cursor="+cursor, "")
		paged = append(paged, page.body["items"].([]any)...)
		if page.body["next_cursor"] == nil {
			break
		}
		cursor = page.body["next_cursor"].(string)
	}
	require.Equal(t, items, paged)
	require.Len(t, at.front.want(200, "GET", "/dead-letters?key=order_2&service=rewards&type=order.created&code=handler_failed&since=2026-01-01T00:00:00Z", "").body["items"], 1)
	require.Empty(t, at.front.want(200, "GET", "/dead-letters?since=2100-01-01T00:00:00Z", "").body["items"])
	require.Empty(t, at.front.want(200, "GET", "/dead-letters?service=orders", "").body["items"])
	require.Contains(t, at.front.want(422, "GET", "/dead-letters?service=nobody", "").raw, "there are accounting, analytics")
	at.front.want(422, "GET", "/dead-letters?since=yesterday", "")
	at.front.want(422, "GET", "/dead-letters?cursor=abc", "")

	groups := at.back.want(200, "GET", "/dead-letters/groups", "").body["items"].([]any)
	require.Len(t, groups, 1, "the order's name does not tell causes apart")
	group := groups[0].(map[string]any)
	require.Equal(t, first["fingerprint"], group["fingerprint"])
	require.Equal(t, float64(3), group["held_behind"])

	waiting := at.front.want(200, "GET", "/waiting?service=rewards&state=waiting&limit=2", "")
	require.Len(t, waiting.body["items"], 2)
	require.NotEmpty(t, waiting.body["next_cursor"])
	one := waiting.body["items"].([]any)[0].(map[string]any)
	require.Equal(t, "key_held", one["code"])
	require.Contains(t, one["held_by"], "rewards-")
	require.Len(t, at.front.want(200, "GET", "/waiting?limit=2&cursor="+waiting.body["next_cursor"].(string), "").body["items"], 1)
	at.front.want(422, "GET", "/waiting?state=dead", "")

	at.rewards.stop()
	lost := at.front.want(200, "GET", "/dead-letters", "")
	require.Empty(t, lost.body["items"])
	require.Contains(t, lost.raw, "service rewards was not reached")
	lost = at.front.want(200, "POST", "/dead-letters/requeue", `{"filter":{},"reason":"mended"}`)
	require.Contains(t, lost.raw, "service rewards was not reached")
}

func TestADeadLetterIsShownWithItsPersonalDataMasked(t *testing.T) {
	at := startTroubled(t)
	id := at.front.want(200, "GET", "/dead-letters?key=order_2", "").body["items"].([]any)[0].(map[string]any)["id"].(string)
	shown := at.front.want(200, "GET", "/dead-letters/"+id, "")
	require.Contains(t, shown.raw, `"order_id":"order_2"`)
	require.Contains(t, shown.raw, `"street":"[personal data]"`)
	require.NotContains(t, shown.raw, "1 Main St")
	require.Contains(t, shown.raw, "/data/shipping_address/street")
	require.Equal(t, shown.raw, at.back.want(200, "GET", "/dead-letters/"+id, "").raw)

	at.front.want(422, "GET", "/dead-letters/"+id+"?unmask=true", "")
	shown = at.front.want(200, "GET", "/dead-letters/"+id+"?unmask=true&reason="+url.QueryEscape("the shopper asks"), "")
	require.Contains(t, shown.raw, "1 Main St")
	require.Contains(t, shown.raw, `"actor":"anonymous","action":"unmask","reason":"the shopper asks"`)
	at.front.want(404, "GET", "/dead-letters/rewards-999", "")
	at.front.want(422, "GET", "/dead-letters/rewards", "")
	at.front.want(404, "GET", "/dead-letters/nobody-1", "")
}

func TestDeadLettersAreMendedThroughAnyProcess(t *testing.T) {
	at := startTroubled(t)
	post := func(status int, action, body string) answer {
		return at.front.want(status, "POST", "/dead-letters/"+action, body)
	}
	for _, bad := range []string{
		`{}`, `{"reason":"r"}`, `{"filter":{}}`, `{"ids":["rewards-1"],"filter":{},"reason":"r"}`, `{"ids":["rewards"],"reason":"r"}`, `{"filter":{},"reason":"r","limit":-1}`,
		`{"filter":{"servce":"rewards"},"reason":"a mistyped name would mean all"}`, `{"filter":{"code":"key_held"},"reason":"no letter has it"}`, `{"ids":["nobody-1"],"reason":"r"}`, `{"filter":{"service":"nobody"},"reason":"r"}`,
	} {
		require.NotEmpty(t, post(422, "requeue", bad).body["detail"], bad)
	}
	for _, path := range []string{"/dead-letters?code=key_held", "/dead-letters/groups?code=key_held", "/waiting?code=held"} {
		require.Contains(t, at.front.want(422, "GET", path, "").body["detail"], "code must be one of ", path)
	}
	outcomes := func(a answer) map[string]any {
		found := map[string]any{}
		for name, n := range a.body["outcomes"].(map[string]any) {
			if n != float64(0) {
				found[name] = n
			}
		}
		return found
	}
	others := at.others()
	dry := post(200, "requeue", `{"filter":{"service":"rewards"},"dry_run":true}`)
	require.Equal(t, map[string]any{"dead": float64(3)}, outcomes(dry))
	require.Equal(t, true, dry.body["dry_run"])
	require.Equal(t, float64(3), dry.body["failures"].([]any)[0].(map[string]any)["count"])

	stopped := post(200, "requeue", `{"filter":{},"reason":"hope"}`)
	require.Equal(t, float64(1), stopped.body["tried"], "it ends when the same fingerprint returns")
	require.Equal(t, "handler_failed", stopped.body["stopped"].(map[string]any)["code"])

	at.broken.Store(false)
	require.Equal(t, map[string]any{"applied": float64(3)}, outcomes(post(200, "requeue", `{"filter":{},"dry_run":true}`)))
	one := post(200, "requeue", `{"filter":{"type":"order.created"},"reason":"mended","limit":1}`)
	require.Equal(t, map[string]any{"applied": float64(1)}, outcomes(one))
	require.Contains(t, one.body["next"], "rewards-")
	rest := post(200, "requeue", fmt.Sprintf(`{"filter":{"type":"order.created"},"reason":"mended","after":%q}`, one.body["next"]))
	require.Equal(t, map[string]any{"applied": float64(2)}, outcomes(rest))
	require.Nil(t, rest.body["next"])
	at.front.eventually("what waited was handled", func() bool {
		return at.count("applied") == 6 && at.count("dead") == 0
	})
	require.Equal(t, others, at.others(), "a requeue reaches only the consumer that failed")
	require.Equal(t, map[string]any{}, outcomes(post(200, "requeue", `{"ids":["rewards-1"],"reason":"again"}`)), "repeatable without harm")
	require.Empty(t, at.front.want(200, "GET", "/waiting", "").body["items"])
}

// What services before it did stands in the answer, when a peer refuses its part.
func TestAPeerThatRefusesHidesNothingThatWasDone(t *testing.T) {
	done := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"dry_run":false,"tried":2,"outcomes":{"applied":2},"failures":[]}`)
	})
	refusing := newFake(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"status":503,"code":"unavailable","detail":"the database is away"}`)
	})
	p := peersOf(t, map[string][]string{"orders": {done.URL}, "payments": {refusing.URL}})
	a := p.want(200, "POST", "/dead-letters/requeue", `{"filter":{},"reason":"mended"}`)
	require.Equal(t, float64(2), a.body["tried"])
	stopped := a.body["stopped"].(map[string]any)
	require.Equal(t, "payments", stopped["service"])
	require.Contains(t, stopped["detail"], "the database is away")
	p.want(503, "POST", "/dead-letters/requeue", `{"filter":{"service":"payments"},"reason":"mended"}`)
}

func TestDeadLettersAreDiscardedAndKeysReleased(t *testing.T) {
	at := startTroubled(t)
	released := at.back.want(200, "POST", "/dead-letters/release", `{"filter":{"key":"order_2"},"reason":"the completion counts"}`)
	require.Contains(t, released.raw, `"released":1`)
	at.front.eventually("what waited goes on, to wait for its declared predecessor", func() bool {
		return len(at.front.want(200, "GET", "/waiting?key=order_2&code=follows", "").body["items"].([]any)) == 1
	})
	preview := at.front.want(200, "POST", "/dead-letters/discard", `{"filter":{"service":"rewards"},"dry_run":true}`)
	require.Equal(t, float64(3), preview.body["tried"])
	require.Len(t, at.front.want(200, "GET", "/dead-letters", "").body["items"], 3)
	discarded := at.front.want(200, "POST", "/dead-letters/discard", `{"filter":{"service":"rewards"},"reason":"no such accounts"}`)
	require.Contains(t, discarded.raw, `"discarded":3`)
	at.front.eventually("what waited was handled", func() bool {
		return at.count("discarded") == 3 && at.count("applied") == 3 && at.count("dead") == 0
	})
	trace := at.front.want(200, "GET", "/trace/order_2", "")
	require.Contains(t, trace.raw, "no such accounts")
}
