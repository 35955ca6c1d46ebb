package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/simulator"
	"github.com/first-viscount/viscount/transports"
	"github.com/first-viscount/viscount/transports/gochannel"
)

// run runs a command line and answers what it printed, its error's text and its exit code.
func run(t *testing.T, stdin string, args ...string) (out, problem string, code int) {
	t.Helper()
	return runWith(t, stdin, io.Discard, args...)
}

// runWith is run, with standard error kept.
func runWith(t *testing.T, stdin string, stderr io.Writer, args ...string) (out, problem string, code int) {
	t.Helper()
	root := newRoot()
	var stdout bytes.Buffer
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&stdout)
	root.SetErr(stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	var answer *exitError
	switch {
	case errors.As(err, &answer):
		return stdout.String(), answer.Error(), answer.code
	case err != nil:
		return stdout.String(), err.Error(), exitUsage
	}
	return stdout.String(), "", 0
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func serving(t *testing.T, dir string) *app.App {
	t.Helper()
	loaded, err := config.Load(config.Source{Flags: map[string]string{"store.sqlite.dir": dir, "http.listen": "127.0.0.1:0"}})
	require.NoError(t, err)
	a, err := app.Start(t.Context(), app.Options{Config: loaded.Config, Driver: gochannel.Driver, Platform: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		require.NoError(t, a.Stop(ctx))
	})
	return a
}

func TestEventsValidate(t *testing.T) {
	good, err := os.ReadFile("../../events/testdata/order.created.json")
	require.NoError(t, err)
	line := strings.Join(strings.Fields(string(good)), " ")
	bad := strings.Replace(line, `"quantity": 2`, `"quantity": 0`, 1)
	raw, err := os.ReadFile("../../events/testdata/order.cancelled.json")
	require.NoError(t, err)
	cancelled := strings.Join(strings.Fields(string(raw)), " ")
	newer := strings.Replace(cancelled, `"customer_request"`, `"a_later_word"`, 1)
	noWord := strings.Replace(cancelled, `"customer_request"`, `""`, 1)
	newType := strings.Replace(cancelled, `"order.cancelled"`, `"order.reconsidered"`, 1)
	type row struct {
		Source string `json:"source"`
		Line   int    `json:"line"`
		Index  int    `json:"index"`
		Valid  bool   `json:"valid"`
		Code   string `json:"code"`
		Path   string `json:"path"`
	}
	for name, c := range map[string]struct {
		text string
		code int
		rows []row
	}{
		"one over several lines": {string(good), 0, []row{{Line: 1, Valid: true}}},
		"lines, one bad":         {line + "\n\n" + bad + "\n" + line + "\n", 1, []row{{Line: 1, Valid: true}, {Line: 3, Index: 1, Code: "invalid_value", Path: "/data/items/0/quantity"}, {Line: 4, Index: 2, Valid: true}}},
		"a list":                 {"[\n" + line + ",\n" + bad + "]", 1, []row{{Line: 2, Valid: true}, {Line: 3, Index: 1, Code: "invalid_value", Path: "/data/items/0/quantity"}}},
		"words to come": {newer + "\n" + noWord + "\n" + newType + "\n", 1, []row{
			{Line: 1, Valid: true}, {Line: 2, Index: 1, Code: "missing_field", Path: "/data/cancellation_reason"}, {Line: 3, Index: 2, Code: "unknown_type", Path: "/event_type"},
		}},
		"truncated":              {line[:100], 1, []row{{Line: 1, Code: "malformed_json"}}},
		"empty":                  {"", 1, []row{{Line: 1, Code: "malformed_json"}}},
		"a line that is no JSON": {line + "\n{oops}\n", 1, []row{{Line: 1, Valid: true}, {Line: 2, Index: 1, Code: "malformed_json"}}},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, code := run(t, c.text, "events", "validate", "-", "-o", "json")
			require.Equal(t, c.code, code, out)
			var rows []row
			for text := range strings.Lines(out) {
				var r row
				require.NoError(t, json.Unmarshal([]byte(text), &r))
				require.Equal(t, "-", r.Source)
				r.Source = ""
				rows = append(rows, r)
			}
			for i := range rows {
				if rows[i].Code == "malformed_json" {
					rows[i].Path = ""
				}
			}
			require.Equal(t, c.rows, rows)
		})
	}
	out, _, code := run(t, "", "events", "validate", "../../events/testdata/inventory.reserved.json")
	require.Equal(t, 0, code)
	require.Contains(t, out, "(legacy)")
	_, problem, code := run(t, "", "events", "validate", "nowhere.json")
	require.Equal(t, exitUsage, code)
	require.Contains(t, problem, "nowhere.json")
}

func TestContracts(t *testing.T) {
	out, _, code := run(t, "", "contracts", "list")
	require.Equal(t, 0, code)
	require.Equal(t, 1+len(events.Platform().All()), strings.Count(out, "\n"), "a head and a line per contract")
	out, _, code = run(t, "", "contracts", "show", "order.created")
	require.Equal(t, 0, code)
	require.Regexp(t, `shipping_address\.street\s+a string\s+not empty; personal data`, out)
	for _, line := range []string{
		`key +order_id`, `follows +order\.created of the same key`, `retention +400 days`, `notices +order-management\.order\.cancelled\.v1\.dlq`, `cancelled_by +a string +one of customer, staff, system; Who cancelled it\.$`,
	} {
		out, _, code = run(t, "", "contracts", "show", "order.cancelled")
		require.Equal(t, 0, code)
		require.Regexp(t, `(?m)^`+line, out)
	}
	require.Equal(t, []string{"optional", "at least 1", "deprecated since 1.1, goes after 2027-06-30; use grams", "In kilograms."}, rulesOf(events.Field{
		Optional: true, Rule: events.RulePositive, Doc: "In kilograms.", Deprecated: events.Deprecation{Since: "1.1", Sunset: "2027-06-30", Use: "grams"},
	}))
	require.Equal(t, []string{"one of restock, damage"}, rulesOf(events.Field{Vocabulary: []string{"restock", "damage"}}))
	_, problem, code := run(t, "", "contracts", "show", "order.exploded")
	require.Equal(t, exitNo, code)
	require.Contains(t, problem, "order.exploded")
}

func TestConfigNamesFileAndLine(t *testing.T) {
	path := file(t, "my.yaml", "http:\n  listen: 127.0.0.1:1\n  lisen: 127.0.0.1:2\nrouter:\n  keys_in_flight: many\n")
	_, problem, code := run(t, "", "config", "check", "--config", path)
	require.Equal(t, exitUsage, code)
	require.Contains(t, problem, "my.yaml:3")
	require.Contains(t, problem, "lisen")
	require.Contains(t, problem, "my.yaml:5")
	_, _, code = run(t, "", "serve", "--config", path)
	require.Equal(t, exitUsage, code)

	t.Setenv("VISCOUNT_STORE_POSTGRES_PASSWORD", "hunter2")
	out, _, code := run(t, "", "config", "print")
	require.Equal(t, 0, code)
	require.NotContains(t, out, "hunter2")
	require.Regexp(t, `store\.postgres\.password\s+\S+\s+env VISCOUNT_STORE_POSTGRES_PASSWORD`, out)
}

func TestServeSaysWhyItCannot(t *testing.T) {
	dir := t.TempDir()
	a := serving(t, dir)
	_, problem, code := run(t, "", "serve", "--data-dir", t.TempDir(), "--listen", strings.TrimPrefix(a.URL(), "http://"))
	require.Equal(t, exitNo, code)
	require.Contains(t, problem, "address already in use")
	_, problem, code = run(t, "", "serve", "--data-dir", dir, "--listen", "127.0.0.1:0")
	require.Equal(t, exitNo, code)
	require.Contains(t, problem, "in use by process")
	for _, command := range [][]string{{"serve"}, {"config", "check"}} {
		_, problem, code = run(t, "", append(command, "--services", "inventory")...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, problem, "services: inventory: some run elsewhere, and the transport gochannel does not promise")
		var keep []string
		for _, d := range transports.All() {
			if d.Capabilities.BetweenProcesses {
				keep = append(keep, d.Name)
			}
		}
		require.Contains(t, problem, "choose a transport.driver that does ("+strings.Join(keep, ", ")+")")
	}

	tokens := file(t, "tokens.yaml", "tokens: [{name: anna, role: boss, sha256: x}]")
	_, problem, code = run(t, "", "serve", "--data-dir", t.TempDir(), "--listen", "127.0.0.1:0", "--config", file(t, "c.yaml", "http: { auth: { tokens_file: "+tokens+" } }"))
	require.Equal(t, exitUsage, code, problem)
	require.Contains(t, problem, `tokens.yaml:1: role: "boss" is not a choice`)
}

func TestATokenIsMadeAndItsHashKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.yaml")
	anna, problem, code := run(t, "", "token", "create", "anna", "--role", "operator", "--file", path)
	require.Equal(t, 0, code, problem)
	till, problem, code := run(t, "", "token", "create", "till", "--role", "publisher", "--source", "product-catalog-service", "--file", path)
	require.Equal(t, 0, code, problem)
	require.NotEqual(t, anna, till)
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NotContains(t, string(kept), strings.TrimSpace(anna))
	tokens, err := config.ReadTokens(path)
	require.NoError(t, err)
	require.Len(t, tokens, 2)
	sum := sha256.Sum256([]byte(strings.TrimSpace(anna)))
	require.Equal(t, hex.EncodeToString(sum[:]), tokens[0].SHA256)
	require.Equal(t, []string{"product-catalog-service"}, tokens[1].Sources)

	out, _, code := run(t, "", "token", "create", "vic", "--role", "viewer")
	require.Equal(t, 0, code)
	require.Contains(t, out, `  - name: "vic"`)
	for _, args := range [][]string{{"anna", "--role", "viewer", "--file", path}, {"x", "--role", "boss"}, {"x", "--role", "publisher"}} {
		_, problem, code := run(t, "", append([]string{"token", "create"}, args...)...)
		require.Equal(t, exitUsage, code, problem)
	}
	unchanged, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, kept, unchanged)
}

func TestPublishStatusTraceAndSimulate(t *testing.T) {
	a := serving(t, t.TempDir())
	out, _, code := run(t, "", "events", "publish", "../../events/testdata/payment.failed.json", "--url", a.URL())
	require.Equal(t, 0, code)
	require.Contains(t, out, "accepted")
	out, _, _ = run(t, "", "events", "publish", "../../events/testdata/payment.failed.json", "--url", a.URL())
	require.Contains(t, out, "duplicate")
	out, problem, code := run(t, `{"event_id":"x"}`, "events", "publish", "-", "--url", a.URL())
	require.Equal(t, exitNo, code)
	require.Contains(t, out, "-:1  invalid  invalid_event_id /event_id: ")
	require.Contains(t, problem, "422 invalid_event_id")

	out, problem, code = run(t, "", "simulate", "--orders", "60", "--products", "20", "--seed", "3", "--url", a.URL(), "-o", "json")
	require.Equal(t, 0, code, problem)
	var report simulator.Report
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	require.Equal(t, 60, report.Orders)
	require.Greater(t, len(report.Invariants), 8)
	out, _, code = run(t, "", "simulate", "--orders", "20", "--products", "20", "--seed", "3", "--url", a.URL())
	require.Equal(t, 0, code, "again on the same server")
	require.Contains(t, out, "✓ orders: every one is settled")
	require.Contains(t, out, "– notifications: staff about stock, each event in exactly one message or digest by webhook (nothing to check)", "no staff are configured")

	out, _, code = run(t, "", "status", "--url", a.URL())
	require.Equal(t, 0, code)
	require.Regexp(t, `orders\s+\d+`, out)
	out, _, code = run(t, "", "trace", "550e8400-e29b-41d4-a716-446655440102", "--url", a.URL())
	require.Equal(t, 0, code)
	require.Contains(t, out, "payment.failed")
	_, _, code = run(t, "", "trace", "nobody", "--url", a.URL())
	require.Equal(t, exitNo, code)
}

func TestAServerThatIsNotThere(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, free.Close())
	_, problem, code := run(t, "", "status", "--url", "http://"+free.Addr().String())
	require.Equal(t, exitNo, code)
	require.Contains(t, problem, "is it running?")
	_, _, code = run(t, "", "status", "--output", "xml")
	require.Equal(t, exitUsage, code)
}

// What a paused consumer has stored is waiting, and no lag: status, the list and docs/operate.md say the same.
func TestStatusOfAPausedConsumerAgreesWithTheWaitingList(t *testing.T) {
	url := serving(t, t.TempDir()).URL()
	_, problem, code := run(t, "", "pause", "search", "--reason", "test", "--url", url)
	require.Equal(t, 0, code, problem)
	product, err := os.ReadFile("../../events/testdata/product.created.json")
	require.NoError(t, err)
	_, problem, code = run(t, string(product), "events", "publish", "-", "--url", url)
	require.Equal(t, 0, code, problem)
	require.EventuallyWithT(t, func(t *assert.CollectT) {
		var status api.Status
		require.NoError(t, (&client{base: url, http: http.DefaultClient}).get(context.Background(), "/status", &status))
		i := slices.IndexFunc(status.Services, func(s api.ServiceStatus) bool { return s.Service == "search" })
		require.True(t, status.Services[i].Paused)
		require.Equal(t, []int64{1, 0}, []int64{status.Services[i].Waiting, status.Services[i].LagEvents})
	}, 10*time.Second, 20*time.Millisecond)
	out, problem, code := run(t, "", "waiting", "list", "--url", url)
	require.Equal(t, 0, code, problem)
	require.Regexp(t, `search .* waiting +the consumer is paused`, out)
}

func TestARunningServerIsNoDefectToDoctorAndMigrate(t *testing.T) {
	dir := t.TempDir()
	serving(t, dir)
	out, _, code := run(t, "", "doctor", "--data-dir", dir)
	require.Equal(t, exitNo, code)
	require.Contains(t, out, whileServing)
	_, problem, code := run(t, "", "migrate", "plan", "--data-dir", dir)
	require.Equal(t, exitNo, code)
	require.Contains(t, problem, whileServing)
}

// Validate and publish tell every problem of every event once, each on a line of its own.
func TestInvalidEventsAreToldInOneLayout(t *testing.T) {
	url := serving(t, t.TempDir()).URL()
	good, err := os.ReadFile("../../events/testdata/order.completed.json")
	require.NoError(t, err)
	line := strings.Join(strings.Fields(string(good)), " ")
	bad := regexp.MustCompile(`"final_amount": *"[^"]*"`).ReplaceAllString(line, `"final_amount": "1,5"`)
	bad = regexp.MustCompile(`"order_id": *"[^"]*"`).ReplaceAllString(bad, `"order_id": ""`)
	path := file(t, "events.ndjson", line+"\n"+bad+"\n")
	wrong := regexp.QuoteMeta(path) + `:2  invalid  (invalid_money /data/final_amount|missing_field /data/order_id): [^/]*\n`
	for _, verb := range []string{"validate", "publish"} {
		out, problem, code := run(t, "", "events", verb, path, "--url", url)
		require.Equal(t, exitNo, code, problem)
		require.Len(t, regexp.MustCompile(wrong).FindAllString(out, -1), 2, out)
		require.Contains(t, problem, "1 of 2 events are")
		require.NotContains(t, problem, "final_amount")
	}
}
