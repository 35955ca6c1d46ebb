package notifications

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/store"
)

// Contact is how a customer is reached.
type Contact struct {
	CustomerID  string      `json:"customer_id"`
	Name        string      `json:"name"`
	Email       string      `json:"email,omitzero"`
	Webhook     string      `json:"webhook,omitzero"`
	Watched     []string    `json:"watched_products"`
	Preferences Preferences `json:"preferences,omitzero"`
	Quiet       QuietHours  `json:"quiet_hours,omitzero"`
}

// Preferences are the channels that a customer wants, by subject. One that is not named goes through every channel with an
// address, one with no channel through none.
type Preferences struct {
	Orders   []Channel `json:"orders,omitzero"`
	Products []Channel `json:"products,omitzero"`
}

func (p Preferences) about(subject Subject) []Channel {
	if subject == Orders {
		return p.Orders
	}
	return p.Products
}

// target is somebody to tell.
type target struct {
	recipient   string // customer:ID or staff:NAME
	name        string
	addresses   map[Channel]string
	preferences Preferences
	quiet       QuietHours
}

const (
	customerPrefix = "customer:"
	staffPrefix    = "staff:"
	staffWebhook   = staffPrefix + "webhook"
)

func (c Contact) target() target {
	return target{
		recipient: customerPrefix + c.CustomerID, name: c.Name, addresses: map[Channel]string{Email: c.Email, Webhook: c.Webhook}, preferences: c.Preferences, quiet: c.Quiet,
	}
}

// targets are the addresses of staff, each a recipient whose name does not tell the address: one that is listed twice, in other
// case perhaps, is told once.
func (s Staff) targets() (all []target) {
	for _, email := range s.Emails {
		sum := sha256.Sum256([]byte(strings.ToLower(email)))
		recipient := staffPrefix + hex.EncodeToString(sum[:6])
		if !slices.ContainsFunc(all, func(t target) bool { return t.recipient == recipient }) {
			all = append(all, target{recipient: recipient, addresses: map[Channel]string{Email: email}})
		}
	}
	if s.Webhook != "" {
		all = append(all, target{recipient: staffWebhook, addresses: map[Channel]string{Webhook: s.Webhook}})
	}
	return all
}

// Way leads to a recipient, without the address.
type Way struct {
	Recipient string  `json:"recipient"`
	Channel   Channel `json:"channel"`
}

// StaffWays are how staff are told.
func (s *Service) StaffWays() []Way {
	ways := []Way{}
	for _, t := range s.Staff.targets() {
		for _, channel := range t.channels(Products) {
			ways = append(ways, Way{Recipient: t.recipient, Channel: channel})
		}
	}
	return ways
}

// channels are the ways that the target wants to be told of a subject.
func (t target) channels(about Subject) (list []Channel) {
	wanted := t.preferences.about(about)
	for _, c := range []Channel{Email, Webhook} {
		if t.addresses[c] != "" && (wanted == nil || slices.Contains(wanted, c)) {
			list = append(list, c)
		}
	}
	return list
}

// PutContact keeps how a customer is reached, in place of what was known.
func (s *Service) PutContact(ctx context.Context, tx *store.Tx, c Contact) (Contact, error) {
	if c.Webhook != "" {
		if s.Hooks == nil {
			return c, store.Refuse(store.InvalidValue, "/webhook", "no webhook is called here: notifications.webhook.secret is empty")
		}
		if err := s.Hooks.Check(c.Webhook); err != nil {
			return c, store.Refuse(store.InvalidValue, "/webhook", "%s", err)
		}
	}
	if err := tx.Lock(ctx, customerPrefix+c.CustomerID); err != nil {
		return c, err
	}
	slices.Sort(c.Watched)
	c.Watched = slices.Compact(c.Watched)
	if err := saveContact(ctx, tx, c); err != nil {
		return c, fmt.Errorf("saving the contact of %s: %w", c.CustomerID, err)
	}
	return s.Contact(ctx, tx, c.CustomerID)
}

func saveContact(ctx context.Context, tx *store.Tx, c Contact) error {
	preferences, err := json.Marshal(c.Preferences)
	if err != nil {
		return err
	}
	quiet, err := json.Marshal(c.Quiet)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO contacts (customer_id, name, email, webhook, preferences, quiet, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name, email = excluded.email, webhook = excluded.webhook,
		preferences = excluded.preferences, quiet = excluded.quiet, updated_at = excluded.updated_at`,
		c.CustomerID, c.Name, c.Email, c.Webhook, string(preferences), string(quiet), store.Micros(tx.Now()))
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "DELETE FROM watches WHERE customer_id = $1", c.CustomerID); err != nil {
		return err
	}
	for _, product := range c.Watched {
		if _, err := tx.Exec(ctx, "INSERT INTO watches (product_id, customer_id) VALUES ($1, $2)", product, c.CustomerID); err != nil {
			return err
		}
	}
	return nil
}

// Secret is what a recipient verifies the signatures of its webhook with.
func (s *Service) Secret(recipient string) (string, error) {
	if s.Hooks == nil {
		return "", store.Refuse(store.NotFound, "", "no webhook is called here: notifications.webhook.secret is empty")
	}
	if !strings.HasPrefix(recipient, customerPrefix) && recipient != staffWebhook {
		return "", store.Refuse(store.NotFound, "", "no recipient %s: name customer:ID or %s", recipient, staffWebhook)
	}
	return s.Hooks.Secret(recipient), nil
}

// Contact reads how a customer is reached.
func (s *Service) Contact(ctx context.Context, r store.Reader, customer string) (Contact, error) {
	c, found, err := findContact(ctx, r, customer)
	if err != nil {
		return c, err
	}
	if !found {
		return c, store.Refuse(store.NotFound, "", "no contact of customer %s", customer)
	}
	c.Watched, err = store.All(ctx, r, scanText, "SELECT product_id FROM watches WHERE customer_id = $1 ORDER BY product_id", customer)
	if c.Watched == nil {
		c.Watched = []string{}
	}
	return c, err
}

func scanText(s store.Scanner) (text string, err error) { return text, s.Scan(&text) }

const contactColumns = "c.customer_id, c.name, c.email, c.webhook, c.preferences, c.quiet"

func scanContact(s store.Scanner) (c Contact, err error) {
	var preferences, quiet string
	if err := s.Scan(&c.CustomerID, &c.Name, &c.Email, &c.Webhook, &preferences, &quiet); err != nil {
		return c, err
	}
	if err := json.Unmarshal([]byte(preferences), &c.Preferences); err != nil {
		return c, err
	}
	return c, json.Unmarshal([]byte(quiet), &c.Quiet)
}

func findContact(ctx context.Context, r store.Reader, customer string) (Contact, bool, error) {
	return store.One(ctx, r, scanContact, "SELECT "+contactColumns+" FROM contacts c WHERE c.customer_id = $1", customer)
}

func findWatchers(ctx context.Context, r store.Reader, product string) ([]target, error) {
	contacts, err := store.All(ctx, r, scanContact, "SELECT "+contactColumns+" FROM watches w JOIN contacts c ON c.customer_id = w.customer_id WHERE w.product_id = $1 ORDER BY c.customer_id", product)
	targets := make([]target, len(contacts))
	for i, c := range contacts {
		targets[i] = c.target()
	}
	return targets, err
}

// findTarget is a recipient as he is reached now; found is false when there is none any more.
func (s *Service) findTarget(ctx context.Context, r store.Reader, recipient string) (target, bool, error) {
	if customer, ok := strings.CutPrefix(recipient, customerPrefix); ok {
		c, found, err := findContact(ctx, r, customer)
		return c.target(), found, err
	}
	all := s.Staff.targets()
	i := slices.IndexFunc(all, func(t target) bool { return t.recipient == recipient })
	if i < 0 {
		return target{}, false, nil
	}
	return all[i], true, nil
}
