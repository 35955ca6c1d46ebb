package notifications

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// States of a message.
const (
	Gathering = "gathering" // more may join until it is due
	Scheduled = "scheduled" // waits for the end of quiet hours, or for the next attempt
	Sending   = "sending"
	Sent      = "sent"
	Failed    = "failed"
	Skipped   = "skipped" // there was no way to send it
	Erased    = "erased"  // its customer's data was erased before it was sent
)

// Statuses are all of them.
func Statuses() []string {
	return []string{Gathering, Scheduled, Sending, Sent, Failed, Skipped, Erased}
}

// maxNotices is how many notices one digest holds.
const maxNotices = 500

// Facts are what a notice says, without any name or address.
type Facts struct {
	OrderID    string     `json:"order_id,omitzero"`
	Total      string     `json:"total_amount,omitzero"`
	Currency   string     `json:"currency,omitzero"`
	Reason     string     `json:"cancellation_reason,omitzero"`
	Refund     string     `json:"refund_amount,omitzero"`
	ProductID  string     `json:"product_id,omitzero"`
	LocationID string     `json:"location_id,omitzero"`
	OldPrice   string     `json:"old_price,omitzero"`
	NewPrice   string     `json:"new_price,omitzero"`
	From       *time.Time `json:"effective_date,omitzero"`
	Quantity   *int64     `json:"current_quantity,omitzero"`
	Threshold  *int64     `json:"threshold,omitzero"`
	Level      string     `json:"alert_level,omitzero"`
}

// Notice is one event that a message tells.
type Notice struct {
	EventID   string    `json:"event_id"`
	EventType string    `json:"type"`
	At        time.Time `json:"timestamp"`
	Facts     Facts     `json:"data"`
}

// Message is what one recipient gets through one channel: one notice, or a digest of several.
type Message struct {
	MessageID string     `json:"message_id"` // also its idempotency key at the mail server and the webhook
	Recipient string     `json:"recipient"`  // customer:ID or staff:NAME, never an address
	Channel   Channel    `json:"channel"`
	Subject   Subject    `json:"subject"`
	Status    string     `json:"status"`
	Attempts  int64      `json:"attempts"`
	Detail    string     `json:"detail,omitzero"`
	DueAt     time.Time  `json:"due_at"`
	CreatedAt time.Time  `json:"created_at"`
	SentAt    *time.Time `json:"sent_at,omitzero"`
	Notices   []Notice   `json:"notices"`

	id, count int64 // its place in the list; how many notices it has
}

// notice is what is to be told.
type notice struct {
	event   events.Envelope
	subject Subject
	facts   Facts
}

// tellFor is how long after it happened anybody is told of an event: a new installation reads events of months, and nobody wants
// their mails.
const tellFor = 72 * time.Hour

// tell enters a notice for each target and channel, and sends it or plans when.
func (s *Service) tell(ctx context.Context, tx *store.Tx, targets []target, n notice) error {
	if tx.Now().Sub(n.event.Timestamp) > tellFor {
		return nil
	}
	var locks []string
	for _, t := range targets {
		locks = append(locks, t.recipient)
	}
	if err := tx.Lock(ctx, locks...); err != nil { // an erasure comes before it, or finds what it leaves
		return err
	}
	for _, t := range targets {
		for _, channel := range t.channels(n.subject) {
			if err := s.tellThrough(ctx, tx, t, channel, n); err != nil {
				return fmt.Errorf("telling of %s: %w", n.event.EventID, err)
			}
		}
	}
	return nil
}

func (s *Service) tellThrough(ctx context.Context, tx *store.Tx, t target, channel Channel, n notice) error {
	m, joined, err := s.messageFor(ctx, tx, t, channel, n)
	if err != nil {
		return err
	}
	if joined {
		return errors.Join(save(ctx, tx, m), saveNotice(ctx, tx, m, n))
	}
	if err := errors.Join(insert(ctx, tx, m), saveNotice(ctx, tx, m, n)); err != nil {
		return err
	}
	if m.DueAt.After(tx.Now()) {
		return plan(ctx, tx, m, m.DueAt, false)
	}
	return s.Dispatch(ctx, tx, Planned{MessageID: m.MessageID})
}

// messageFor is a new message for a notice, or the one that gathers and that it has joined.
func (s *Service) messageFor(ctx context.Context, tx *store.Tx, t target, channel Channel, n notice) (m Message, joined bool, err error) {
	m = Message{
		MessageID: keyOf(n.event.EventID.String(), t.recipient, channel), Recipient: t.recipient, Channel: channel, Subject: n.subject, Status: Scheduled,
		DueAt: tx.Now(), CreatedAt: tx.Now(), count: 1,
	}
	if !s.gathers(n.subject) {
		return m, false, nil
	}
	last, found, err := lastAbout(ctx, tx, t.recipient, channel, n.subject)
	switch {
	case err != nil || !found:
	case last.Status == Gathering && last.count < maxNotices:
		last.count++
		return last, true, nil
	case last.Status == Gathering: // full: another one goes with it
		m.DueAt = last.DueAt
	case last.DueAt.Add(s.Digest).After(m.DueAt):
		m.DueAt = last.DueAt.Add(s.Digest)
	}
	if m.DueAt.After(tx.Now()) {
		m.Status = Gathering
	}
	return m, false, err
}

// gathers tells whether what comes about a subject while a message waits joins it.
func (s *Service) gathers(about Subject) bool { return about == Products && s.Digest > 0 }

// keyOf makes the key of what is told to a recipient through a channel: the same event makes the same key.
func keyOf(event, recipient string, channel Channel) string {
	sum := sha256.Sum256([]byte(event + "\n" + recipient + "\n" + string(channel)))
	return "msg_" + hex.EncodeToString(sum[:16])
}

func insert(ctx context.Context, tx *store.Tx, m Message) error {
	_, err := tx.Exec(ctx, "INSERT INTO messages (message_id, recipient, channel, subject, state, notices, due, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		m.MessageID, m.Recipient, string(m.Channel), string(m.Subject), m.Status, m.count, store.Micros(m.DueAt), store.Micros(m.CreatedAt))
	return err
}

func save(ctx context.Context, tx *store.Tx, m Message) error {
	_, err := tx.Exec(ctx, "UPDATE messages SET state = $1, notices = $2, attempts = $3, detail = $4, due = $5, sent_at = $6 WHERE message_id = $7",
		m.Status, m.count, m.Attempts, m.Detail, store.Micros(m.DueAt), store.MicrosOf(m.SentAt), m.MessageID)
	if err != nil {
		return fmt.Errorf("saving message %s: %w", m.MessageID, err)
	}
	return nil
}

func saveNotice(ctx context.Context, tx *store.Tx, m Message, n notice) error {
	facts, err := json.Marshal(n.facts)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "INSERT INTO notices (event_id, recipient, channel, message_id, event_type, facts, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		n.event.EventID.String(), m.Recipient, string(m.Channel), m.MessageID, n.event.EventType, string(facts), store.Micros(n.event.Timestamp))
	return err
}

const columns = "id, message_id, recipient, channel, subject, state, notices, attempts, detail, due, created_at, sent_at"

func scan(s store.Scanner) (m Message, err error) {
	var due, created int64
	var sent sql.NullInt64
	err = s.Scan(&m.id, &m.MessageID, &m.Recipient, &m.Channel, &m.Subject, &m.Status, &m.count, &m.Attempts, &m.Detail, &due, &created, &sent)
	m.DueAt, m.CreatedAt, m.SentAt = store.Time(due), store.Time(created), store.TimeOf(sent)
	return m, err
}

func find(ctx context.Context, r store.Reader, id string) (Message, bool, error) {
	return store.One(ctx, r, scan, "SELECT "+columns+" FROM messages WHERE message_id = $1", id)
}

// lastAbout is the newest message to a recipient through a channel about a subject.
func lastAbout(ctx context.Context, r store.Reader, recipient string, channel Channel, about Subject) (Message, bool, error) {
	return store.One(ctx, r, scan, "SELECT "+columns+" FROM messages WHERE recipient = $1 AND channel = $2 AND subject = $3 ORDER BY id DESC LIMIT 1", recipient, string(channel), string(about))
}

func noticesOf(ctx context.Context, r store.Reader, message string) ([]Notice, error) {
	return store.All(ctx, r, func(s store.Scanner) (n Notice, err error) {
		var facts string
		var at int64
		if err := s.Scan(&n.EventID, &n.EventType, &facts, &at); err != nil {
			return n, err
		}
		n.At = store.Time(at)
		return n, json.Unmarshal([]byte(facts), &n.Facts)
	}, "SELECT event_id, event_type, facts, at FROM notices WHERE message_id = $1 ORDER BY at, event_id", message)
}

// Get reads one message.
func (s *Service) Get(ctx context.Context, r store.Reader, id string) (Message, error) {
	m, err := known(ctx, r, id)
	if err == nil {
		m.Notices, err = noticesOf(ctx, r, id)
	}
	return m, err
}

// known finds a message that a person asks for.
func known(ctx context.Context, r store.Reader, id string) (Message, error) {
	m, found, err := find(ctx, r, id)
	if err == nil && !found {
		err = store.Refuse(store.NotFound, "", "no notification %s", id)
	}
	return m, err
}

// Filter chooses messages. The zero value chooses all.
type Filter struct {
	Recipient, CustomerID, Status, EventID string
	Channel                                Channel
	Before                                 int64 // a Position; 0 begins with the newest
	Limit                                  int
}

// Position is where a message stands in the list.
func (m Message) Position() int64 { return m.id }

// List reads messages with their notices, the newest first.
func (s *Service) List(ctx context.Context, r store.Reader, f Filter) ([]Message, error) {
	if f.CustomerID != "" {
		f.Recipient = customerPrefix + f.CustomerID
	}
	query, args := "SELECT "+columns+" FROM messages WHERE ($1 = 0 OR id < $1)", []any{f.Before}
	for _, c := range []struct{ condition, value string }{
		{"recipient = ", f.Recipient}, {"state = ", f.Status}, {"channel = ", string(f.Channel)},
		{"message_id IN (SELECT n.message_id FROM notices n WHERE n.event_id = ", f.EventID},
	} {
		if c.value != "" {
			args = append(args, c.value)
			query += fmt.Sprintf(" AND %s$%d", c.condition, len(args)) + strings.Repeat(")", strings.Count(c.condition, "("))
		}
	}
	all, err := store.All(ctx, r, scan, query+fmt.Sprintf(" ORDER BY id DESC LIMIT $%d", len(args)+1), append(args, f.Limit)...)
	for i := range all {
		if err == nil {
			all[i].Notices, err = noticesOf(ctx, r, all[i].MessageID)
		}
	}
	return all, err
}
