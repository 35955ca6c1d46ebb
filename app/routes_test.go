package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
)

// whoHearsWhat is domain.md's table, by hand.
const whoHearsWhat = `
product.created                inventory orders search
product.updated                inventory orders search
product.deleted                inventory orders search
product.price_changed          orders analytics notifications
product.out_of_stock           orders notifications analytics
inventory.reserved             orders analytics
inventory.released             orders analytics
inventory.adjusted             analytics audit
inventory.low_stock_alert      notifications procurement analytics
inventory.updated              analytics catalog
order.created                  inventory payments notifications
order.validated                payments fulfillment notifications
order.completed                analytics customers inventory
order.cancelled                inventory payments notifications fulfillment
order.refunded                 analytics customers accounting
inventory.reservation_failed   orders analytics
payment.processed              orders accounting
payment.failed                 orders
payment.refunded               orders accounting
fulfillment.completed          orders
fulfillment.failed             orders
order.refund_requested         payments
`

// TestRoutesAreTheTable compares routes.go with the table and with what the contracts declare, for the services that exist.
func TestRoutesAreTheTable(t *testing.T) {
	table := map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(whoHearsWhat)) {
		words := strings.Fields(line)
		slices.Sort(words[1:])
		table[words[0]] = words[1:]
	}
	for _, d := range events.Platform().All() {
		hear, known := table[d.Contract.Type]
		require.True(t, known, "add a line for %s to the table", d.Contract.Type)
		require.ElementsMatch(t, hear, d.Contract.Consumers, "the consumers that the contract %s declares", d.Contract.Type)
	}
	require.Len(t, events.Platform().All(), len(table), "every line of the table is a contract")

	consumers := routes(services(config.Config{}))
	here := ServiceNames()
	routed := map[string][]string{}
	for _, c := range consumers {
		for _, r := range c.Routes {
			routed[r.Contract.Type] = append(routed[r.Contract.Type], c.Name)
		}
	}
	for eventType, hear := range table {
		want := slices.DeleteFunc(slices.Clone(hear), func(name string) bool { return !slices.Contains(here, name) })
		require.ElementsMatch(t, want, routed[eventType], "who hears %s", eventType)
	}
	for eventType := range routed {
		require.Contains(t, table, eventType, "nobody subscribes to what is no contract")
	}
}

// TestEveryHandlerIsTestedToBeIdempotent holds routes.go against the tests of the services: each handler stands in a kit of its
// package, whose TestMain (routertest.Main) fails if WantIdempotent never received again what the handler applied.
func TestEveryHandlerIsTestedToBeIdempotent(t *testing.T) {
	for _, c := range routes(services(config.Config{})) {
		files, err := filepath.Glob(filepath.Join("..", "handlers", c.Name, "*_test.go"))
		require.NoError(t, err)
		var tests strings.Builder
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			tests.Write(text)
		}
		require.Contains(t, tests.String(), "func TestMain(m *testing.M) { routertest.Main(m", c.Name)
		for _, r := range c.Routes {
			_, method, _ := strings.Cut(r.Handler, ".")
			require.Regexp(t, `router\.On\([\w.]*\.`+method+`\)`, tests.String(), "a kit of handlers/%s", c.Name)
		}
	}
}
