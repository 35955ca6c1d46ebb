package simulator

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// reached is how many of the thousand customers of a seed leave an address. The others are told nothing.
const reached = 50

// The channels.
const (
	byEmail   = "email"
	byWebhook = "webhook"
)

func (r *run) customer(n int) string { return fmt.Sprintf("cust_%d_%d", r.Seed, n) }

// contact is how a customer is reached: by e-mail, by a webhook, or both. Some want no news of their orders.
type contact struct {
	customer string
	channels []string
	noOrders bool
	watches  []string
}

func (r *run) contactOf(n int) contact {
	c := contact{customer: r.customer(n), channels: [][]string{{byEmail}, {byEmail, byWebhook}, {byWebhook}}[n%3], noOrders: n%5 == 4}
	if r.hooks == nil {
		c.channels = []string{byEmail}
	}
	for kind, p := range [][]string{r.shop.ids(func(p *product) bool { return p.moving }), r.shop.ids(func(p *product) bool { return p.scarce })} {
		for i := range min(2-kind, len(p)) {
			c.watches = append(c.watches, p[(n+i)%len(p)])
		}
	}
	return c
}

func (s *shop) ids(kind func(*product) bool) (ids []string) {
	for _, p := range s.products {
		if kind(p) {
			ids = append(ids, p.id)
		}
	}
	return ids
}

func (r *run) keep(ctx context.Context, c contact, webhook string) error {
	body := map[string]any{"name": "Shopper " + c.customer, "watched_products": c.watches}
	if slices.Contains(c.channels, byEmail) {
		body["email"] = c.customer + "@example.org"
	}
	if slices.Contains(c.channels, byWebhook) && webhook != "" {
		body["webhook"] = webhook
	}
	if c.noOrders {
		body["preferences"] = map[string]any{"orders": []string{}}
	}
	return r.http.send(ctx, http.MethodPut, "/notifications/contacts/"+c.customer, "", body, nil)
}

// introduce leaves the addresses of some customers. Where the platform calls no webhook, or none here, mails are left.
func (s *shop) introduce(ctx context.Context) (err error) {
	r := s.r
	if !r.has("notifications") {
		return nil
	}
	if r.hooks, err = receive(ctx, r.http.base); err != nil {
		return err
	}
	err = r.keep(ctx, contact{customer: r.customer(0), channels: []string{byWebhook}}, r.hooks.url)
	if refusedWith(err, "invalid_value") {
		r.closeHooks()
		r.hooks, err = nil, ctx.Err()
	}
	if err != nil {
		return err
	}
	for n := range reached {
		c, webhook := r.contactOf(n), ""
		if r.hooks != nil {
			webhook = r.hooks.url
		}
		if err := r.keep(ctx, c, webhook); err != nil {
			return fmt.Errorf("introducing %s: %w", c.customer, err)
		}
		r.contacts = append(r.contacts, c)
	}
	return nil
}

// withdrawing is how long a run that was interrupted waits for the platform.
const withdrawing = 10 * time.Second

// withdraw takes the webhooks back, so that nobody calls them any more. An interrupted run does so, too.
func (r *run) withdraw(ctx context.Context) error {
	if r.hooks == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawing)
	defer cancel()
	for _, c := range r.contacts {
		if err := r.keep(ctx, c, ""); err != nil {
			return fmt.Errorf("taking the webhook of %s back: %w", c.customer, err)
		}
	}
	return nil
}

// messageFacts are one message, as far as it is recounted.
type messageFacts struct {
	ID        string `json:"message_id"`
	Recipient string `json:"recipient"`
	Channel   string `json:"channel"`
	Status    string `json:"status"`
	Notices   []struct {
		EventID string `json:"event_id"`
		Type    string `json:"type"`
		Data    struct {
			OrderID   string `json:"order_id"`
			ProductID string `json:"product_id"`
		} `json:"data"`
	} `json:"notices"`
}

// staffFacts are a way to somebody of staff.
type staffFacts struct {
	Recipient string `json:"recipient"`
	Channel   string `json:"channel"`
}

// productEvent is one that is told to those who watch its product, or to staff.
type productEvent struct {
	EventID string `json:"event_id"`
	Type    string `json:"event_type"`
	Data    struct {
		ProductID string `json:"product_id"`
	} `json:"data"`
}

// markMessages notes which messages stand before the run, and which of them may still take its events in.
func (r *run) markMessages(ctx context.Context) error {
	if !r.has("notifications") {
		return nil
	}
	var newest items[messageFacts]
	if err := r.http.get(ctx, "/notifications?limit=1", &newest); err != nil {
		return err
	}
	for _, m := range newest.Items {
		r.newest = m.ID
	}
	var err error
	r.gathering, err = all[messageFacts](ctx, r.http, "/notifications", url.Values{"status": {"gathering"}})
	return err
}

// messages reads the messages of the run, whoever they are for.
func (r *run) messages(ctx context.Context) (list []messageFacts, err error) {
	list, err = allUntil(ctx, r.http, "/notifications", url.Values{}, func(m messageFacts) bool { return m.ID == r.newest })
	for _, m := range r.gathering {
		var now messageFacts
		if err == nil {
			err = r.http.get(ctx, "/notifications/"+m.ID, &now)
		}
		list = append(list, now)
	}
	return list, err
}

// productEvents reads what was recorded of the run's products, each event once.
func (r *run) productEvents(ctx context.Context, types ...string) (list []productEvent, err error) {
	seen := map[string]bool{}
	for _, eventType := range types {
		for after := ""; ; {
			var page struct {
				Items []jsontext.Value `json:"items"`
				Next  string           `json:"next_after"`
			}
			if err := r.http.get(ctx, "/events/recorded?"+url.Values{"type": {eventType}, "after": {after}}.Encode(), &page); err != nil {
				return nil, err
			}
			for _, raw := range page.Items {
				var e productEvent
				if json.Unmarshal(raw, &e) == nil && r.ownProduct(e.Data.ProductID) && !seen[e.EventID] {
					seen[e.EventID] = true
					list = append(list, e)
				}
			}
			if len(page.Items) == 0 || page.Next == after {
				break
			}
			after = page.Next
		}
	}
	return list, nil
}

func (r *run) ownProduct(id string) bool {
	return strings.HasPrefix(id, fmt.Sprintf("prod_%d_%s_", r.Seed, r.id))
}

func (r *run) recountMessages(ctx context.Context, b *books) error {
	var staff items[staffFacts]
	if err := r.http.get(ctx, "/notifications/staff", &staff); err != nil && !refusedWith(err, "not_found") { // an older server
		return err
	}
	happened, err := r.productEvents(ctx, "product.price_changed", "product.out_of_stock", "inventory.low_stock_alert")
	if err != nil {
		return err
	}
	expected := b.tellings(r.contacts, staff.Items, happened)
	var messages []messageFacts
	err = r.patience().until(ctx, patienceStep, func() (int, error) { // the outcomes of products' events are not asked one by one
		messages, err = r.messages(ctx)
		return len(missing(expected, messages)), err
	})
	if err != nil {
		return err
	}
	b.messages(expected, messages)
	if r.hooks != nil {
		b.arrivals(messages, r.hooks.received)
	} else {
		b.arrivals(nil, nil)
	}
	return nil
}

// telling is what somebody is to be told of an event through a channel.
type telling struct{ event, recipient, channel string }

// The audiences of notifications.
const (
	aboutOrders  = "customers about orders"
	aboutWatched = "customers about watched products"
	aboutStock   = "staff about stock"
)

func (b *books) told(audience, channel string) *rule {
	return b.rule(fmt.Sprintf("notifications: %s, each event in exactly one message or digest by %s", audience, channel))
}

// tellings are everything that is to be told of the run, with the audience that each is for.
func (b *books) tellings(contacts []contact, staff []staffFacts, happened []productEvent) map[telling]string {
	expected := map[telling]string{}
	announced := map[string][]string{}
	for _, o := range b.ended {
		announced[o.customer] = append(announced[o.customer], o.announced...)
	}
	for _, c := range contacts {
		for _, channel := range c.channels {
			for _, id := range announced[c.customer] {
				if !c.noOrders {
					expected[telling{id, "customer:" + c.customer, channel}] = aboutOrders
				}
			}
			for _, e := range happened {
				if e.Type != "inventory.low_stock_alert" && slices.Contains(c.watches, e.Data.ProductID) {
					expected[telling{e.EventID, "customer:" + c.customer, channel}] = aboutWatched
				}
			}
		}
	}
	for _, s := range staff {
		for _, e := range happened {
			if e.Type != "product.price_changed" {
				expected[telling{e.EventID, s.Recipient, s.Channel}] = aboutStock
			}
		}
	}
	return expected
}

// count is how often each telling stands in messages.
func count(messages []messageFacts) map[telling]int {
	told := map[telling]int{}
	for _, m := range messages {
		for _, n := range m.Notices {
			told[telling{n.EventID, m.Recipient, m.Channel}]++
		}
	}
	return told
}

func missing(expected map[telling]string, messages []messageFacts) (list []telling) {
	told := count(messages)
	for t := range expected {
		if told[t] == 0 {
			list = append(list, t)
		}
	}
	return list
}

// messages checks that everybody was told what he is to be told, once, and nothing else of the run's orders and products.
func (b *books) messages(expected map[telling]string, messages []messageFacts) {
	for _, audience := range []string{aboutOrders, aboutWatched, aboutStock} {
		for _, channel := range []string{byEmail, byWebhook} {
			b.told(audience, channel) // so that it is said that there was nothing to check
		}
	}
	told := count(messages)
	for t, audience := range expected {
		b.told(audience, t.channel).check(told[t] == 1, "event %s stands in %d messages to %s", t.event, told[t], t.recipient)
	}
	for _, m := range messages {
		for _, n := range m.Notices {
			_, due := expected[telling{n.EventID, m.Recipient, m.Channel}]
			if !due && (b.r.own(n.Data.OrderID) || b.r.ownProduct(n.Data.ProductID)) {
				b.told(audienceOf(m.Recipient, n.Type), m.Channel).check(false, "message %s tells %s of event %s (%s), which is not for him", m.ID, m.Recipient, n.EventID, n.Type)
			}
		}
	}
}

func audienceOf(recipient, eventType string) string {
	switch {
	case strings.HasPrefix(recipient, "staff:"):
		return aboutStock
	case strings.HasPrefix(eventType, "order."):
		return aboutOrders
	}
	return aboutWatched
}
