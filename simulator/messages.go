package simulator

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
)

// reached is how many of the thousand customers of a seed leave a mail address.
const reached = 25

func (r *run) customer(n int) string { return fmt.Sprintf("cust_%d_%d", r.Seed, n) }

// introduce leaves the addresses of some customers, who watch the products whose prices move.
func (s *shop) introduce(ctx context.Context) error {
	if !s.r.has("notifications") {
		return nil
	}
	var watched []string
	for _, p := range s.products {
		if p.moving && len(watched) < 3 {
			watched = append(watched, p.id)
		}
	}
	for n := range reached {
		id := s.r.customer(n)
		body := map[string]any{"name": "Shopper " + id, "email": id + "@example.org", "watched_products": watched}
		if err := s.r.http.send(ctx, http.MethodPut, "/notifications/contacts/"+id, "", body, nil); err != nil {
			return fmt.Errorf("introducing %s: %w", id, err)
		}
	}
	return nil
}

// messageFacts are one message, as far as it is recounted.
type messageFacts struct {
	ID        string `json:"message_id"`
	Recipient string `json:"recipient"`
	Channel   string `json:"channel"`
	Notices   []struct {
		EventID string `json:"event_id"`
	} `json:"notices"`
}

func (r *run) recountMessages(ctx context.Context, b *books) error {
	for n := range reached {
		messages, err := all[messageFacts](ctx, r.http, "/notifications", url.Values{"customer_id": {r.customer(n)}})
		if err != nil {
			return err
		}
		b.messages(r.customer(n), messages)
	}
	return nil
}

// messages checks what a customer who left a mail address was told: each event through each channel in one message, and each
// order's creation, validation and cancellation among them.
func (b *books) messages(customer string, messages []messageFacts) {
	r := b.rule("notifications: each event in exactly one message per recipient and channel")
	told := map[string]int{}
	for _, m := range messages {
		for _, n := range m.Notices {
			told[n.EventID+" "+m.Channel]++
			r.check(told[n.EventID+" "+m.Channel] == 1, "%s stands in message %s to %s, and in another one", n.EventID, m.ID, m.Recipient)
		}
	}
	for _, o := range b.ended {
		if o.customer != customer {
			continue
		}
		for _, id := range o.announced {
			r.check(told[id+" email"] == 1, "%s: event %s stands in %d mails to %s", o.id, id, told[id+" email"], customer)
		}
	}
}
