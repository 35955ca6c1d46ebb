package notifications

import (
	"context"
	"time"

	"github.com/first-viscount/viscount/store"
)

// Mailer sends e-mail. Calls come at least once, a repetition with the same key. An error is the mail server's or the way's
// to it, and must not tell the address; what is wrong with the address itself is an Answer.
type Mailer interface {
	Send(ctx context.Context, m Mail) (Answer, error)
	Forget(ctx context.Context, keys []string) error // removes what it keeps of messages
}

// Hooks calls webhooks, signed. Calls come at least once, a repetition with the same key. Everything that may happen at a
// receiver is an Answer, which must not tell the address.
type Hooks interface {
	Call(ctx context.Context, h Hook) (Answer, error)
	Check(url string) error         // why a webhook of this URL would not be called; nil if it would
	Secret(recipient string) string // with which the recipient verifies signatures
}

// Mail is one e-mail.
type Mail struct {
	Key, To, Name       string
	Subject, Text, HTML string
	At                  time.Time
}

// Hook is one call of a webhook.
type Hook struct {
	Key, URL  string
	Recipient string // whose secret signs it
	Body      []byte
}

// Answer is what became of an attempt.
type Answer struct {
	Sent   bool
	Again  bool   // not now; another attempt may succeed
	Detail string // why not
}

// Kinds of the service's jobs.
const (
	PlanJob   = "plan"   // a message is due
	SendJob   = "send"   // a message is being sent
	ForgetJob = "forget" // what the mailer keeps is removed
)

// Planned names a message that is due.
type Planned struct {
	MessageID string `json:"message_id"`
	Now       bool   `json:"now,omitzero"` // an operator wants it sent, whatever the hour
}

// Letter is everything that an attempt needs. It is the only copy of a name and an address outside of the contacts, and goes
// with the attempt.
type Letter struct {
	MessageID string    `json:"message_id"`
	Recipient string    `json:"recipient"`
	Channel   Channel   `json:"channel"`
	Address   string    `json:"address"`
	Name      string    `json:"name,omitzero"`
	At        time.Time `json:"at"`
	Notices   []Notice  `json:"notices"`
}

// Forgotten names messages of a customer whose data is erased.
type Forgotten struct {
	MessageIDs []string `json:"message_ids"`
}

// again are the pauses before further attempts at a receiver that does not answer. Then the message has failed.
var again = []time.Duration{10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

// plan has a message sent at a time; now is that of Planned.
func plan(ctx context.Context, tx *store.Tx, m Message, at time.Time, now bool) error {
	return tx.Enqueue(ctx, store.Job{Kind: PlanJob, Name: m.MessageID, Key: m.Recipient, Due: at, Payload: Planned{MessageID: m.MessageID, Now: now}})
}

// Dispatch sends a message that is due to where its recipient is reached now. In the quiet hours that he has now it waits for
// their end: whatever made it due, a digest or another attempt, comes through here.
func (s *Service) Dispatch(ctx context.Context, tx *store.Tx, p Planned) error {
	m, found, err := find(ctx, tx, p.MessageID)
	if err != nil || !found || m.Status != Gathering && m.Status != Scheduled && m.Status != Sending {
		return err
	}
	t, found, err := s.findTarget(ctx, tx, m.Recipient)
	if err != nil {
		return err
	}
	address, end := t.addresses[m.Channel], t.quiet.Next(tx.Now())
	switch {
	case !found, address == "":
		m.Status, m.Detail = Skipped, "the recipient has no address for this channel any more"
	case s.off(m.Channel) != "":
		m.Status, m.Detail = Skipped, s.off(m.Channel)
	case m.Channel == Email && !p.Now && end.After(tx.Now()):
		return s.wait(ctx, tx, m, end)
	default:
		m.Status = Sending
	}
	if err := save(ctx, tx, m); err != nil || m.Status == Skipped {
		return err
	}
	letter := Letter{MessageID: m.MessageID, Recipient: m.Recipient, Channel: m.Channel, Address: address, Name: t.name, At: m.CreatedAt}
	if letter.Notices, err = noticesOf(ctx, tx, m.MessageID); err != nil {
		return err
	}
	return tx.Enqueue(ctx, store.Job{Kind: SendJob, Name: m.MessageID, Key: m.MessageID, Payload: letter})
}

// wait keeps a message until the end of quiet hours.
func (s *Service) wait(ctx context.Context, tx *store.Tx, m Message, end time.Time) error {
	m.DueAt = end
	if m.Status == Scheduled && s.gathers(m.Subject) {
		m.Status = Gathering
	}
	if err := save(ctx, tx, m); err != nil {
		return err
	}
	return plan(ctx, tx, m, end, false)
}

// off says why nothing goes out through a channel; "" if it does.
func (s *Service) off(c Channel) string {
	switch {
	case c == Email && s.Mail == nil:
		return "no e-mail is sent: notifications.email.driver is none"
	case c == Webhook && s.Hooks == nil:
		return "no webhook is called: notifications.webhook.secret is empty"
	}
	return ""
}

// Send makes an attempt, outside of any transaction.
func (s *Service) Send(ctx context.Context, l Letter) (Answer, error) {
	if off := s.off(l.Channel); off != "" { // since it was dispatched
		return Answer{Detail: off}, nil
	}
	if l.Channel == Email {
		mail, err := l.mail()
		if err != nil {
			return Answer{}, store.Permanent(err)
		}
		return s.Mail.Send(ctx, mail)
	}
	hook, err := l.hook()
	if err != nil {
		return Answer{}, store.Permanent(err)
	}
	return s.Hooks.Call(ctx, hook)
}

// RecordSent books what became of an attempt, and plans the next one if it may help.
func (s *Service) RecordSent(ctx context.Context, tx *store.Tx, l Letter, answer Answer) error {
	m, found, err := find(ctx, tx, l.MessageID)
	if err != nil || !found || m.Status != Sending {
		return err
	}
	m.Attempts++
	m.Detail = answer.Detail
	switch {
	case answer.Sent:
		at := tx.Now()
		m.Status, m.SentAt = Sent, &at
	case answer.Again && m.Attempts <= int64(len(again)):
		err = plan(ctx, tx, m, tx.Now().Add(again[m.Attempts-1]), false)
	default:
		m.Status = Failed
	}
	if err != nil {
		return err
	}
	return save(ctx, tx, m)
}

// Resend sends a message again, with its key, wherever its recipient is reached now, in quiet hours too.
func (s *Service) Resend(ctx context.Context, tx *store.Tx, id string) (Message, error) {
	if err := tx.Lock(ctx, id); err != nil {
		return Message{}, err
	}
	m, err := known(ctx, tx, id)
	if err != nil {
		return m, err
	}
	if m.Status == Gathering || m.Status == Scheduled || m.Status == Erased {
		return m, store.Refuse(store.IllegalTransition, "", "the notification is %s: only one that was on its way can be sent again", m.Status)
	}
	if err := s.stop(ctx, tx, id); err != nil {
		return m, err
	}
	m.Status, m.Detail, m.DueAt, m.Attempts = Sending, "", tx.Now(), 0
	if err := save(ctx, tx, m); err != nil {
		return m, err
	}
	if m.Notices, err = noticesOf(ctx, tx, id); err != nil {
		return m, err
	}
	return m, plan(ctx, tx, m, m.DueAt, true)
}

// stop takes back the attempts that stand.
func (s *Service) stop(ctx context.Context, tx *store.Tx, id string) error {
	if err := tx.CancelJob(ctx, PlanJob, id); err != nil {
		return err
	}
	return tx.CancelJob(ctx, SendJob, id)
}

// Erase removes a customer's name and addresses for good: the contact, what he watches, what is on its way to him, and what the
// mailer keeps. Which events he was told of stays, by his id.
func (s *Service) Erase(ctx context.Context, tx *store.Tx, customer string) error {
	recipient := customerPrefix + customer
	if err := tx.Lock(ctx, recipient); err != nil {
		return err
	}
	for _, table := range []string{"contacts", "watches"} {
		if _, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE customer_id = $1", customer); err != nil {
			return err
		}
	}
	all, err := store.All(ctx, tx, scan, "SELECT "+columns+" FROM messages WHERE recipient = $1 ORDER BY id", recipient)
	if err != nil {
		return err
	}
	var letters []string
	for _, m := range all {
		if err := s.stop(ctx, tx, m.MessageID); err != nil {
			return err
		}
		if m.Channel == Email {
			letters = append(letters, m.MessageID)
		}
	}
	_, err = tx.Exec(ctx, "UPDATE messages SET state = $1, detail = $2 WHERE recipient = $3 AND state IN ($4, $5, $6)",
		Erased, "the customer's data was erased before it was sent", recipient, Gathering, Scheduled, Sending)
	if err != nil {
		return err
	}
	if len(letters) == 0 {
		return nil
	}
	return forget(ctx, tx, recipient, letters)
}

// forgetAgain is long after an attempt that was under way when it was cancelled has written its mail.
const forgetAgain = 10 * time.Minute

// forget has the mailer remove what it keeps of messages: now, and again when no attempt can be under way any more.
func forget(ctx context.Context, tx *store.Tx, recipient string, messages []string) error {
	for name, due := range map[string]time.Time{recipient: tx.Now(), recipient + " again": tx.Now().Add(forgetAgain)} {
		if err := tx.CancelJob(ctx, ForgetJob, name); err != nil { // an earlier one knows of fewer messages
			return err
		}
		if err := tx.Enqueue(ctx, store.Job{Kind: ForgetJob, Name: name, Key: recipient, Due: due, Payload: Forgotten{MessageIDs: messages}}); err != nil {
			return err
		}
	}
	return nil
}

// AskForget has the mailer remove what it keeps, outside of any transaction.
func (s *Service) AskForget(ctx context.Context, f Forgotten) (struct{}, error) {
	if s.Mail == nil {
		return struct{}{}, nil
	}
	return struct{}{}, s.Mail.Forget(ctx, f.MessageIDs)
}

// RecordForgotten has nothing to book.
func (s *Service) RecordForgotten(context.Context, *store.Tx, Forgotten, struct{}) error { return nil }
