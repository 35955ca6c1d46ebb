package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/internal/mail/mailtest"
)

// insist repeats a request until it is answered with one of the statuses.
func (p *process) insist(method, path, body string, statuses ...int) (answer map[string]any, err error) {
	for began := time.Now(); time.Since(began) < 2*time.Minute; time.Sleep(20 * time.Millisecond) {
		var status int
		if status, answer, err = p.ask(method, path, "application/json", body); err != nil {
			continue
		}
		for _, want := range statuses {
			if status == want {
				return answer, nil
			}
		}
		err = fmt.Errorf("%s %s answered %d: %v", method, path, status, answer)
	}
	return nil, err
}

// all reads every page of a list.
func (p *process) all(path string) (items []map[string]any) {
	cursor := ""
	for {
		answer, err := p.insist(http.MethodGet, path+"&limit=200&cursor="+url.QueryEscape(cursor), "", http.StatusOK)
		require.NoError(p.t, err)
		for _, item := range answer["items"].([]any) {
			items = append(items, item.(map[string]any))
		}
		if cursor, _ = answer["next_cursor"].(string); cursor == "" {
			return items
		}
	}
}

// TestKilledServersSendEachMessageWithOneKey ends the server five times like a power cut while it sends. Each message must
// arrive at least once, and every copy of it must bear the same key and say the same.
func TestKilledServersSendEachMessageWithOneKey(t *testing.T) {
	const orders, kills = 150, 5
	mails, receiver := mailtest.Start(t, mailtest.Options{Answer: func(string) error { time.Sleep(5 * time.Millisecond); return nil }}), newHooks(t)
	p := newProcess(t, "VISCOUNT_NOTIFICATIONS_EMAIL_DRIVER=smtp", "VISCOUNT_NOTIFICATIONS_EMAIL_SMTP_ADDRESS="+mails.Addr, "VISCOUNT_NOTIFICATIONS_EMAIL_SMTP_TLS=none",
		"VISCOUNT_NOTIFICATIONS_WEBHOOK_SECRET="+webhookSecret, "VISCOUNT_NOTIFICATIONS_WEBHOOK_PRIVATE_ADDRESSES=true")
	p.Start()
	insist := func(method, path, body string, statuses ...int) map[string]any {
		answer, err := p.insist(method, path, body, statuses...)
		require.NoError(t, err)
		return answer
	}
	insist("PUT", "/notifications/contacts/cust_1", `{"name":"Ada","email":"ada@example.org","webhook":"`+receiver.url+`"}`, 200)
	receiver.learn(t, insist("GET", "/notifications/secrets/customer:cust_1", "", 200)["secret"].(string))
	insist("POST", "/products", `{"product_id":"prod_1","name":"Tea","category_id":"drinks","price":"3.50"}`, 201)
	insist("POST", "/inventory/adjust", `{"product_id":"prod_1","change":100000,"adjustment_type":"restock"}`, 200)

	var shoppers errgroup.Group
	shoppers.SetLimit(8)
	go func() {
		for i := range orders {
			shoppers.Go(func() error { // an order that is known already was placed before the kill
				_, err := p.insist("POST", "/orders", fmt.Sprintf(`{"order_id":"order_%d","customer_id":"cust_1","items":[{"product_id":"prod_1","quantity":1}],
					"shipping_address":{"street":"1 Main St","city":"Anytown","state":"","zip":"12345","country":"US"}}`, i), 201, 409)
				return err
			})
		}
	}()
	received := func() int { return len(mails.Mails()) + len(receiver.received()) }
	for range kills {
		before := received()
		require.Eventually(t, func() bool { return received() >= before+60 }, time.Minute, time.Millisecond)
		p.Kill()
		p.Start()
	}
	const messages = orders * 2 * 2 // created and validated, by mail and webhook
	var sent []map[string]any
	require.Eventually(t, func() bool { sent = p.all("/notifications?status=sent"); return len(sent) >= messages }, 2*time.Minute, 200*time.Millisecond)
	require.NoError(t, shoppers.Wait())
	require.Len(t, p.all("/notifications?customer_id=cust_1"), messages)

	copies, hooked, told := map[string]int{}, receiver.received(), map[string]bool{}
	for _, m := range mails.Mails() {
		key, _, _ := strings.Cut(m.MessageID, "@")
		copies[key]++
	}
	for key, bodies := range hooked {
		copies[key] += len(bodies)
		for _, body := range bodies {
			require.Equal(t, bodies[0], body, "the copies of a message say the same")
		}
	}
	repeated := 0
	for _, m := range sent {
		key := m["message_id"].(string)
		require.Positive(t, copies[key], "told to be sent, and never received: %v", m)
		repeated += copies[key] - 1
		delete(copies, key)
		notice := m["notices"].([]any)[0].(map[string]any)
		name := fmt.Sprint(notice["event_id"], m["channel"])
		require.False(t, told[name], "an event was told twice through a channel")
		told[name] = true
	}
	require.Empty(t, copies, "received, and unknown to the platform")
	require.Empty(t, receiver.refused)
	t.Logf("%d messages, %d kills, none lost, %d received again with the same key", messages, kills, repeated)
	require.NoError(t, p.Stop(t.Context()))
}
