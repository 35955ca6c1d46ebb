package app_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
)

// standing searches every file of a folder for a text.
func standing(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(text)) {
			found = append(found, filepath.Base(path))
		}
		return err
	}))
	return found
}

// foreign is an order of another shop's system, with what no contract knows.
const foreign = `{"event_id":"0198c0de-0000-7000-8000-00000000%04d","correlation_id":"c","timestamp":"2026-11-01T00:00:00Z","source_service":"order-management-service",
	"event_version":"1.0","event_type":"order.created","data":{"order_id":"order_foreign_%d","customer_id":"cust_1","total_amount":"1.00","currency":"USD","status":"pending","customer_name":"Ada Lovelace",
	"items":[{"product_id":"prod_1","quantity":1,"unit_price":"1.00","total_price":"1.00"}],
	"shipping_address":{"street":"%s","city":"Anytown","state":"","zip":"1","country":"US"},"billing_address":{"street":"2 Foreign Lane","city":"Anytown","state":"","zip":"1","country":"US"}}}`

// TestErasedCustomersStandNowhere has a customer's data everywhere that the platform puts it, and looks for it afterwards in
// every file of the data folder, the log among them.
func TestErasedCustomersStandNowhere(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "viscount.log"))
	require.NoError(t, err)
	defer log.Close()
	a := start(t, dir, func(o *app.Options) {
		o.Logger = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	status, _ := call(t, a, http.MethodPut, "/notifications/contacts/cust_1", `{"name":"Grace Hopper","email":"grace@example.org","watched_products":["prod_1"]}`)
	require.Equal(t, http.StatusOK, status)
	order(t, a, "order_1") // at 1 Secret Street
	status, _ = call(t, a, http.MethodPost, "/consumers/inventory/pause", `{"reason":"so that an order waits"}`)
	require.Equal(t, http.StatusOK, status)
	place := func(id, street, customer string) int {
		status, _ := call(t, a, http.MethodPost, "/orders", `{"order_id":"`+id+`","customer_id":"`+customer+`","items":[{"product_id":"prod_1","quantity":1}],
			"shipping_address":{"street":"`+street+`","city":"Anytown","state":"","zip":"12345","country":"US"}}`)
		return status
	}
	require.Equal(t, http.StatusCreated, place("order_2", "3 Waiting Road", "cust_1"))
	require.Equal(t, http.StatusCreated, place("order_3", "4 Other Street", "cust_2"))
	event := fmt.Sprintf(foreign, 1, 1, "2 Foreign Lane")
	status, _ = call(t, a, http.MethodPost, "/events", event)
	require.Equal(t, http.StatusAccepted, status)
	secrets := []string{"1 Secret Street", "2 Foreign Lane", "3 Waiting Road", "Lovelace", "Grace Hopper", "grace@example.org"}
	for _, secret := range secrets {
		require.Eventually(t, func() bool { return len(standing(t, dir, secret)) > 0 }, 10*time.Second, 10*time.Millisecond, secret)
	}
	require.Eventually(t, func() bool { // two of the customer's, one of the other's
		_, s := call(t, a, http.MethodGet, "/status", "")
		return strings.Count(fmt.Sprint(s), "waiting:3") == 1
	}, 10*time.Second, 10*time.Millisecond, "the orders wait at the paused inventory")
	totals := func() (all []map[string]any) {
		for _, path := range []string{"/customers/cust_1", "/analytics/revenue", "/accounting/trial-balance"} {
			var status int
			var answer map[string]any
			require.Eventually(t, func() bool { // whoever counts hears of order_1 in its own time
				status, answer = call(t, a, http.MethodGet, path, "")
				return status == http.StatusOK && strings.Contains(fmt.Sprint(answer), "3.50")
			}, 10*time.Second, 10*time.Millisecond, path)
			all = append(all, answer)
		}
		return all
	}
	before := totals()

	status, erased := call(t, a, http.MethodDelete, "/customers/cust_1/personal-data", "")
	require.Equal(t, http.StatusOK, status, "%v", erased)
	require.Equal(t, true, erased["complete"], "%v", erased)
	require.Len(t, erased["services"], len(app.ServiceNames()))
	require.Nil(t, erased["broker_copies_until"], "gochannel keeps no copies")
	for _, secret := range secrets { // mails that were kept as files are removed by a job
		require.Eventually(t, func() bool { return len(standing(t, dir, secret)) == 0 }, 10*time.Second, 10*time.Millisecond, secret)
	}
	require.NotEmpty(t, standing(t, dir, "4 Other Street"), "another customer's data stays")

	require.Equal(t, before, totals(), "totals are unchanged")
	status, _ = call(t, a, http.MethodPost, "/consumers/inventory/resume", `{"reason":"done"}`)
	require.Equal(t, http.StatusOK, status)
	settled(t, a, "order_2", "completed") // redacted events are still handled
	status, answer := call(t, a, http.MethodPost, "/events", event)
	require.Equal(t, http.StatusAccepted, status, "the original comes again: %v", answer)
	require.Contains(t, fmt.Sprint(answer), "duplicate")
	require.Equal(t, http.StatusCreated, place("order_2", "3 Waiting Road", "cust_1"), "so does the request")

	status, erased = call(t, a, http.MethodDelete, "/customers/cust_1/personal-data", "")
	require.Equal(t, http.StatusOK, status, "%v", erased)
	_, noted := call(t, a, http.MethodGet, "/customers/cust_1/personal-data", "")
	require.Equal(t, true, noted["complete"])
	stop(t, a)
	for _, secret := range secrets {
		require.Empty(t, standing(t, dir, secret), secret)
	}
	t.Logf("%d names, addresses and streets, all found before and none after", len(secrets))
}
