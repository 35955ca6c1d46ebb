package app_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/go-json-experiment/json"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/internal/mail/mailtest"
	"github.com/first-viscount/viscount/router"
)

var webhookSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("s", 32)))

// hooks is a receiver of webhooks that verifies what it gets with the secret of customer cust_1.
type hooks struct {
	url      string
	mu       sync.Mutex
	verifier *standard.Webhook
	bodies   map[string][]string // by webhook-id
	refused  []string
}

func newHooks(t *testing.T) *hooks {
	h := &hooks{bodies: map[string][]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		if err := h.verifier.Verify(raw, r.Header); err != nil {
			h.refused = append(h.refused, err.Error())
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		h.bodies[r.Header.Get("webhook-id")] = append(h.bodies[r.Header.Get("webhook-id")], string(raw))
	}))
	t.Cleanup(server.Close)
	h.url = server.URL + "/hooks/orders"
	return h
}

// learn takes the secret that the platform signs with for the customer.
func (h *hooks) learn(t *testing.T, secret string) {
	verifier, err := standard.NewWebhook(secret)
	require.NoError(t, err)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.verifier = verifier
}

func (h *hooks) received() map[string][]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	copied := map[string][]string{}
	for id, bodies := range h.bodies {
		copied[id] = slices.Clone(bodies)
	}
	return copied
}

// texts gives a server log that can be searched.
type texts struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *texts) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *texts) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// TestEachMessageIsReceivedOnceUnderDuplicates delivers every event of ten orders to notifications again, five times at once.
func TestEachMessageIsReceivedOnceUnderDuplicates(t *testing.T) {
	mails, receiver, log := mailtest.Start(t, mailtest.Options{}), newHooks(t), &texts{}
	a := start(t, t.TempDir(), func(o *app.Options) {
		n := &o.Config.Notifications
		n.Email.Driver, n.Email.SMTP.Address, n.Email.SMTP.TLS = "smtp", mails.Addr, ""
		n.Webhook.Secret, n.Webhook.PrivateAddresses = webhookSecret, true
		o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	defer stop(t, a)
	status, _ := call(t, a, http.MethodPut, "/notifications/contacts/cust_1", `{"name":"Ada Lovelace","email":"ada@example.org","webhook":"`+receiver.url+`"}`)
	require.Equal(t, http.StatusOK, status)
	_, secret := call(t, a, http.MethodGet, "/notifications/secrets/customer:cust_1", "")
	receiver.learn(t, secret["secret"].(string))

	order(t, a, "order_0")
	status, _ = call(t, a, http.MethodPost, "/inventory/adjust", `{"product_id":"prod_1","change":100,"adjustment_type":"restock"}`)
	require.Equal(t, http.StatusOK, status)
	for i := range 9 {
		status, answer := call(t, a, http.MethodPost, "/orders", fmt.Sprintf(`{"order_id":"order_%d","customer_id":"cust_1","items":[{"product_id":"prod_1","quantity":1}],
			"shipping_address":{"street":"1 Secret Street","city":"Anytown","state":"","zip":"12345","country":"US"}}`, i+1))
		require.Equal(t, http.StatusCreated, status, answer)
	}
	for i := range 10 {
		settled(t, a, fmt.Sprintf("order_%d", i), "completed")
	}
	const messages = 10 * 2 // created and validated, through each channel
	require.Eventually(t, func() bool { return len(mails.Mails()) >= messages && len(receiver.received()) >= messages }, 20*time.Second, 5*time.Millisecond)
	redeliver(t, a, "notifications", "order.created", "order.validated")

	for id, bodies := range receiver.received() {
		require.Len(t, bodies, 1, id)
	}
	require.Len(t, receiver.received(), messages)
	require.Empty(t, receiver.refused)
	seen := map[string]bool{}
	for _, m := range mails.Mails() {
		require.False(t, seen[m.MessageID], "received twice: %s", m.MessageID)
		seen[m.MessageID] = true
		require.Equal(t, "ada@example.org", m.To)
	}
	require.Len(t, seen, messages)
	_, list := call(t, a, http.MethodGet, "/notifications?customer_id=cust_1&status=sent&limit=200", "")
	require.Len(t, list["items"], 2*messages)
	for _, secret := range []string{"ada@", "Lovelace", "Secret Street", receiver.url} {
		require.NotContains(t, log.String(), secret)
	}
	t.Logf("%d mails and %d webhooks, each received once though every event came six times, five of them at once", len(seen), len(receiver.received()))
}

// redeliver gives a consumer its events again, as a transport that delivers at least once may do at any time.
func redeliver(t *testing.T, a *app.App, consumer string, types ...string) {
	t.Helper()
	i := slices.IndexFunc(a.Services(), func(s *router.Service) bool { return s.Name() == consumer })
	var group errgroup.Group
	for _, eventType := range types {
		definition, known := events.Platform().Lookup(eventType)
		require.True(t, known)
		_, page := call(t, a, http.MethodGet, "/events/recorded?type="+eventType, "")
		items := page["items"].([]any)
		require.NotEmpty(t, items)
		for _, item := range items {
			raw, err := json.Marshal(item)
			require.NoError(t, err)
			for range 5 {
				group.Go(func() error {
					msg := message.NewMessage(item.(map[string]any)["event_id"].(string), raw)
					return a.Services()[i].Deliver(t.Context(), definition.Contract.Topic(), msg)
				})
			}
		}
	}
	require.NoError(t, group.Wait())
}

// TestDeliveredGoodsRaiseTheStockAndStandInTheTrail walks from an alert to goods in stock.
func TestDeliveredGoodsRaiseTheStockAndStandInTheTrail(t *testing.T) {
	a := start(t, t.TempDir(), nil)
	defer stop(t, a)
	order(t, a, "order_1")
	status, _ := call(t, a, http.MethodPost, "/inventory/adjust", `{"product_id":"prod_1","change":10,"adjustment_type":"restock"}`)
	require.Equal(t, http.StatusOK, status)
	status, _ = call(t, a, http.MethodPost, "/inventory/adjust", `{"product_id":"prod_1","change":-5,"adjustment_type":"damage","reason":"water"}`)
	require.Equal(t, http.StatusOK, status)
	items := func(path string) []any {
		_, page := call(t, a, http.MethodGet, path, "")
		list, _ := page["items"].([]any)
		return list
	}
	require.Eventually(t, func() bool { return len(items("/purchase-orders?status=proposed")) == 1 }, 10*time.Second, 5*time.Millisecond)
	proposal := items("/purchase-orders?status=proposed")[0].(map[string]any)
	id := proposal["purchase_order_id"].(string)
	status, refusal := call(t, a, http.MethodPost, "/purchase-orders/"+id+"/receive", "")
	require.Equal(t, http.StatusConflict, status)
	require.Equal(t, "illegal_transition", refusal["code"])
	status, _ = call(t, a, http.MethodPost, "/purchase-orders/"+id+"/approve", `{"quantity":40}`)
	require.Equal(t, http.StatusOK, status)
	status, _ = call(t, a, http.MethodPost, "/purchase-orders/"+id+"/receive", `{"quantity":0}`)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	status, receiving := call(t, a, http.MethodPost, "/purchase-orders/"+id+"/receive", `{"quantity":38}`)
	require.Equal(t, http.StatusAccepted, status, receiving)
	require.Eventually(t, func() bool {
		_, p := call(t, a, http.MethodGet, "/purchase-orders/"+id, "")
		return p["status"] == "received"
	}, 10*time.Second, 5*time.Millisecond)
	_, stock := call(t, a, http.MethodGet, "/inventory/prod_1", "")
	require.EqualValues(t, 9+38, stock["locations"].([]any)[0].(map[string]any)["on_hand"])

	require.Eventually(t, func() bool { return len(items("/audit?reference_number="+id)) == 1 }, 10*time.Second, 5*time.Millisecond)
	record := items("/audit?reference_number=" + id)[0].(map[string]any)
	require.Equal(t, []any{"restock", "purchase order received", proposal["correlation_id"]}, []any{record["adjustment_type"], record["reason"], record["correlation_id"]})
	require.EqualValues(t, 38, record["new_quantity"].(float64)-record["old_quantity"].(float64))
}
