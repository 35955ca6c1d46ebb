package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/contracts/site"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/gochannel"
)

// orderCreatedV2 is a second major version of order.created, an example: one address, and no prices of lines.
type orderCreatedV2 struct {
	OrderID    string         `json:"order_id" rule:"id"`
	CustomerID string         `json:"customer_id" rule:"id" class:"subject"`
	Total      events.Money   `json:"total"`
	Items      []Item         `json:"items" rule:"not_empty"`
	Address    events.Address `json:"address" class:"personal"`
}

// Item has the name of another type of the catalogue.
type Item struct {
	ProductID string `json:"product_id" rule:"id"`
	Quantity  int64  `json:"quantity" rule:"positive"`
}

func (orderCreatedV2) Contract() events.Contract {
	k := events.OrderCreated{}.Contract()
	k.Version, k.Migration = "2.0", "Consumers move first, then the publisher, until 2027-06-30."
	return k
}

func (p orderCreatedV2) Validate() error { return events.Check(p) }

// orderNoted is an event that goes.
type orderNoted struct {
	OrderID string `json:"order_id" rule:"id"`
}

func (orderNoted) Contract() events.Contract {
	return events.Contract{
		Type: "order.noted", Version: "1.1", Key: "order_id", Publisher: events.OrdersService, Retention: events.Day,
		Deprecated: events.Deprecation{Since: "1.1", Sunset: "2027-06-30", Use: "order.created"},
	}
}

func (p orderNoted) Validate() error { return events.Check(p) }

func upgraded(old events.OrderCreated) (orderCreatedV2, error) {
	p := orderCreatedV2{OrderID: old.OrderID, CustomerID: old.CustomerID, Total: old.TotalAmount, Address: old.ShippingAddress}
	for _, item := range old.Items {
		p.Items = append(p.Items, Item{item.ProductID, item.Quantity})
	}
	return p, nil
}

const secondExample = `{"event_id":"550e8400-e29b-41d4-a716-446655440099","correlation_id":"order_2","timestamp":"2024-01-15T12:00:00Z","source_service":"order-management-service",` +
	`"event_version":"2.0","event_type":"order.created","data":{"order_id":"order_2","customer_id":"cust_2","total":"47.98","items":[{"product_id":"prod_1","quantity":2}],` +
	`"address":{"street":"1 Main St","city":"Anytown","state":"CA","zip":"12345","country":"US"}}}`

func secondMajor() events.Definition {
	return events.Define(events.From(upgraded)).WithExamples([]byte(secondExample))
}

// TestTwoMajorVersionsOfAnEventStandSideBySide in everything that is generated and served.
func TestTwoMajorVersionsOfAnEventStandSideBySide(t *testing.T) {
	catalogue, err := events.Platform().With(secondMajor())
	require.NoError(t, err)
	files, err := generated(catalogue)
	require.NoError(t, err)
	written := map[string][]byte{}
	for _, f := range files {
		written[f.Path] = f.Content
	}
	examples := map[string][]byte{"v1": events.Examples("order.created")[0], "v2": []byte(secondExample)}

	t.Run("rules", func(t *testing.T) {
		changes := contracts.Diff(contracts.Current(events.Platform()), contracts.Current(catalogue), time.Now())
		require.Len(t, changes, 1)
		require.Equal(t, "order.created.v2: new major version; Consumers move first, then the publisher, until 2027-06-30. [major]", changes[0].String())
	})
	t.Run("schemas", func(t *testing.T) { checkSchemas(t, written, examples) })
	t.Run("AsyncAPI", func(t *testing.T) { checkAsyncAPI(t, written[contracts.AsyncAPIFile]) })
	t.Run("OpenAPI", func(t *testing.T) {
		committed, err := os.ReadFile("../../api/openapi.json")
		require.NoError(t, err)
		require.Equal(t, string(committed), string(written["api/openapi.json"]), "it speaks of events of any type")
	})
	t.Run("Python", func(t *testing.T) { checkPython(t, written) })
	t.Run("site", func(t *testing.T) {
		rendered, err := site.Render(catalogue, contracts.Changelog)
		require.NoError(t, err)
		pages := map[string]string{}
		for _, f := range rendered {
			pages[f.Path] = string(f.Content)
		}
		checkSite(t, pages)
	})
	t.Run("API", func(t *testing.T) { checkAPI(t, examples) })
}

// checkSchemas: each accepts and shows the example of its own version, and refuses the other's.
func checkSchemas(t *testing.T, written map[string][]byte, examples map[string][]byte) {
	for major, other := range map[string]string{"v1": "v2", "v2": "v1"} {
		raw := written[contracts.SchemaFolder+"/order.created."+major+".schema.json"]
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		require.NoError(t, err)
		compiler := jsonschema.NewCompiler()
		require.NoError(t, compiler.AddResource("urn:x", document))
		schema, err := compiler.Compile("urn:x")
		require.NoError(t, err)
		own, err := jsonschema.UnmarshalJSON(bytes.NewReader(examples[major]))
		require.NoError(t, err)
		require.NoError(t, schema.Validate(own))
		foreign, err := jsonschema.UnmarshalJSON(bytes.NewReader(examples[other]))
		require.NoError(t, err)
		require.Error(t, schema.Validate(foreign))
		require.Equal(t, []any{own}, document.(map[string]any)["examples"])
		require.Equal(t, "order-management.order.created."+major, document.(map[string]any)["x-contract"].(map[string]any)["topic"])
	}
}

// document is JSON for looking into.
type document map[string]any

func (d document) at(names ...string) any {
	var value any = map[string]any(d)
	for _, name := range names {
		value = value.(map[string]any)[name]
	}
	return value
}

func checkAsyncAPI(t *testing.T, raw []byte) {
	var d document
	require.NoError(t, json.Unmarshal(raw, &d))
	for _, major := range []string{"v1", "v2"} {
		name := "order.created." + major
		require.Equal(t, "order-management."+name, d.at("channels", name, "address"))
		require.NotNil(t, d.at("operations", "order-management.sends."+name))
		require.NotNil(t, d.at("operations", "inventory.hears."+name))
		examples := d.at("components", "messages", name, "examples").([]any)
		require.Len(t, examples, 1)
		require.Equal(t, major[1:]+".0", examples[0].(map[string]any)["payload"].(map[string]any)["event_version"])
	}
	items := func(major string) any {
		return d.at("components", "messages", "order.created."+major, "payload", "properties", "data", "properties", "items", "items", "$ref")
	}
	require.Equal(t, "#/components/schemas/Item", items("v1"))
	require.Equal(t, "#/components/schemas/Item2", items("v2"), "a type of the same name is another one")
	require.Len(t, d.at("components", "schemas", "Item", "properties"), 4)
	require.Len(t, d.at("components", "schemas", "Item2", "properties"), 2)
}

const pythonScript = `
import sys
from viscount_contracts import CONTRACTS, InvalidEvent, Item, Item2, MAJORS, OrderCreated, OrderCreatedV2, new_event, parse
first, second = (open(name).read() for name in sys.argv[1:])
assert MAJORS["order.created"] == (OrderCreated, OrderCreatedV2) and CONTRACTS["order.created"] is OrderCreatedV2
assert set(Item.model_fields) > set(Item2.model_fields)
for text, model, major in [(first, OrderCreated, "1"), (second, OrderCreatedV2, "2")]:
    event = parse(text)
    assert type(event.data) is model and event.topic == "order-management.order.created.v" + major, event
    assert parse(event.to_json()) == event
    assert new_event(event.data).envelope.event_version == major + ".0"
for text, path in [(second.replace('"2.0"', '"3.0"'), "/event_version"), (second.replace('"2.0"', '"1.0"'), "/data/total_amount")]:
    try:
        parse(text)
        raise AssertionError("accepted")
    except InvalidEvent as refused:
        assert path in {p.path for p in refused.problems}, refused
`

// checkPython runs the package with the models of the two versions.
func checkPython(t *testing.T, written map[string][]byte) {
	python, err := filepath.Abs("../../bin/venv/bin/python")
	require.NoError(t, err)
	if exec.CommandContext(t.Context(), python, "-c", "import pydantic").Run() != nil {
		python = "python3"
	}
	if exec.CommandContext(t.Context(), python, "-c", "import pydantic").Run() != nil {
		require.Empty(t, os.Getenv("REQUIRE_PYTHON"), "no Python with pydantic")
		t.Skip("no Python with pydantic: run make test-python")
	}
	folder := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(folder, "viscount_contracts"), os.DirFS("../../python/src/viscount_contracts")))
	require.NoError(t, os.RemoveAll(filepath.Join(folder, "viscount_contracts", "__pycache__")))
	for name, content := range map[string][]byte{
		"viscount_contracts/contracts.py": written["python/src/viscount_contracts/contracts.py"], "viscount_contracts/rules.py": written["python/src/viscount_contracts/rules.py"],
		"check.py": []byte(pythonScript), "first.json": events.Examples("order.created")[0], "second.json": []byte(secondExample),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, filepath.FromSlash(name)), content, 0o600))
	}
	run := exec.CommandContext(t.Context(), python, "check.py", "first.json", "second.json")
	run.Dir = folder
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func checkSite(t *testing.T, pages map[string]string) {
	newest, first := pages["events/order.created.html"], pages["events/order.created.v1.html"]
	require.Contains(t, newest, `<tr id="address.street">`)
	require.NotContains(t, newest, `<tr id="total_amount">`)
	require.Contains(t, newest, "550e8400-e29b-41d4-a716-446655440099", "its own example")
	require.Contains(t, newest, `<a href="order.created.v1.html">1.0</a>, on <code>order-management.order.created.v1</code>`)
	require.Contains(t, newest, "<strong>2.0</strong>, this one, on <code>order-management.order.created.v2</code>. Consumers move first, then the publisher, until 2027-06-30.")
	require.Contains(t, first, `<tr id="total_amount">`)
	require.Contains(t, first, `<a href="order.created.html">the newest</a>`)
	require.Contains(t, first, `<a href="order.created.html">2.0</a>`)
	require.Contains(t, first, "/schema?version=1")
	for _, label := range []string{`<a href="events/order.created.html">order.created v2</a>`, `<a href="events/order.created.v1.html">order.created v1</a>`} {
		require.Contains(t, pages["index.html"], label)
	}
	require.Contains(t, pages["fields.html"], `<a href="events/order.created.v1.html#total_amount">order.created v1</a>`)
	require.Contains(t, pages["events/order.validated.html"], `<a href="order.created.html">order.created</a> of the same key`)
	require.NotEmpty(t, pages["schemas/order.created.v1.schema.json"])
	require.NotEmpty(t, pages["schemas/order.created.v2.schema.json"])
}

// checkAPI: a platform with a service that wants version 2 is asked, and given an event of each.
func checkAPI(t *testing.T, examples map[string][]byte) {
	heard := make(chan orderCreatedV2, 2)
	watcher := router.Consumer{Name: "watcher", Contracts: []events.Definition{secondMajor(), events.Define[orderNoted]()}, Routes: []router.Route{
		router.On(func(_ context.Context, tx *store.Tx, e events.Event[orderCreatedV2]) error {
			tx.OnCommit(func() { heard <- e.Data })
			return nil
		}),
	}}
	loaded, err := config.Load(config.Source{Flags: map[string]string{"store.sqlite.dir": t.TempDir(), "http.listen": "127.0.0.1:0"}})
	require.NoError(t, err)
	a, err := app.Start(t.Context(), app.Options{
		Config: loaded.Config, Driver: gochannel.Driver, Platform: true, Consumers: []router.Consumer{watcher}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Stop(context.WithoutCancel(t.Context()))) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	send := func(method, path, body string) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), method, a.URL()+path, strings.NewReader(body))
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		return response
	}
	get := func(path string, status int) (d document) {
		response := send(http.MethodGet, "/api/v1"+path, "")
		defer response.Body.Close()
		require.Equal(t, status, response.StatusCode, path)
		require.NoError(t, json.NewDecoder(response.Body).Decode(&d))
		return d
	}

	for path, version := range map[string]string{"": "2.0", "?version=2": "2.0", "?version=1": "1.0"} {
		topic := "order-management.order.created.v" + version[:1]
		contract := get("/contracts/order.created"+path, http.StatusOK)
		require.Equal(t, version, contract["version"])
		require.Equal(t, topic, contract["topic"])
		require.Equal(t, []any{"1.0", "2.0"}, contract["versions"])
		require.Equal(t, version == "2.0", contract["migration"] == "Consumers move first, then the publisher, until 2027-06-30.")
		require.Equal(t, topic, get("/contracts/order.created/schema"+path, http.StatusOK).at("x-contract", "topic"))
	}
	require.Equal(t, map[string]any{"since": "1.1", "sunset": "2027-06-30", "use": "order.created"}, get("/contracts/order.noted", http.StatusOK)["deprecated"])
	require.NotContains(t, get("/contracts/order.created", http.StatusOK), "deprecated")
	require.Equal(t, "unsupported_version", get("/contracts/order.created?version=3", http.StatusNotFound)["code"])
	require.Equal(t, "unknown_type", get("/contracts/order.eaten?version=1", http.StatusNotFound)["code"])
	require.NotNil(t, get("/asyncapi.json", http.StatusOK).at("channels", "order.created.v1"))
	for _, page := range []string{"order.created", "order.created.v1"} {
		response := send(http.MethodGet, "/contracts/events/"+page+".html", "")
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
	}

	for _, raw := range examples {
		today := strings.Replace(string(raw), "2024-01-15T12:00:00Z", time.Now().UTC().Format(time.RFC3339), 1) // what is older than its retention is pruned
		require.NotEqual(t, string(raw), today)
		response := send(http.MethodPost, "/api/v1/events", today)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusAccepted, response.StatusCode)
	}
	orders := map[string]bool{(<-heard).OrderID: true, (<-heard).OrderID: true}
	require.Equal(t, map[string]bool{"order_987654321": true, "order_2": true}, orders, "the service hears both, upgraded")

	// a trace tells who hears the version that it is, and waits for nobody who hears the other alone
	traced := func(id string) (services []string, awaited int) {
		trace := get("/trace/"+id, http.StatusOK)
		for _, e := range trace["events"].([]any) {
			if e := e.(map[string]any); e["event_id"] == id {
				for _, d := range e["deliveries"].([]any) {
					services = append(services, d.(map[string]any)["service"].(string))
				}
			}
		}
		return services, len(trace["awaited"].([]any))
	}
	require.Eventually(t, func() bool {
		services, _ := traced("550e8400-e29b-41d4-a716-446655440015")
		return slices.Contains(services, "inventory") && slices.Contains(services, "watcher")
	}, 20*time.Second, 10*time.Millisecond)
	services, awaited := traced("550e8400-e29b-41d4-a716-446655440099")
	require.Contains(t, services, "watcher")
	require.NotContains(t, services, "inventory")
	require.Zero(t, awaited)

	require.Len(t, get("/events/recorded?type=order.created", http.StatusOK)["items"], 2)
	stream := send(http.MethodGet, "/api/v1/events/stream?type=order.created&from=BEGINNING", "")
	defer stream.Body.Close()
	versions := map[string]bool{}
	for lines := bufio.NewScanner(stream.Body); len(versions) < 2 && lines.Scan(); {
		if raw, ok := strings.CutPrefix(lines.Text(), "data:"); ok {
			var e document
			require.NoError(t, json.Unmarshal([]byte(raw), &e))
			versions[e["event_version"].(string)] = true
		}
	}
	require.Equal(t, map[string]bool{"1.0": true, "2.0": true}, versions)
}
