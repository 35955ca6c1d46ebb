package store

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
)

// NoticeType is the event type of a dead letter's notice in the outbox. A notice is no event of a contract: traces, streams
// and recorded events leave it out.
const NoticeType = "dead_letter"

const notNotice = " AND event_type <> '" + NoticeType + "'"

// Notice tells whoever listens on {topic}.dlq of a dead letter. The message itself, which may be too long for any broker,
// stays in the consumer's database.
type Notice struct {
	Topic         string    `json:"topic"`
	Partition     string    `json:"partition,omitzero"`
	Offset        string    `json:"offset,omitzero"`
	Consumer      string    `json:"consumer"`
	Code          string    `json:"code"`
	Message       string    `json:"message"`
	Timestamp     time.Time `json:"timestamp"`
	EventID       string    `json:"event_id,omitzero"`
	EventType     string    `json:"event_type,omitzero"`
	Key           string    `json:"key,omitzero"`
	CorrelationID string    `json:"correlation_id,omitzero"`
	Attempts      int       `json:"attempts"`
	Fingerprint   string    `json:"fingerprint"`
}

// Announce enters a dead letter's notice into the outbox, so that it is sent if and only if the letter is stored.
func (t *Tx) Announce(p Parked) error {
	n := Notice{
		Topic: p.Topic, Partition: p.Partition, Offset: p.Offset, Consumer: t.store.name, Code: p.Code, Message: p.Detail, Timestamp: t.now,
		EventType: p.EventType, Key: p.Key, CorrelationID: p.CorrelationID, Attempts: p.Attempts, Fingerprint: p.Fingerprint,
	}
	if p.EventID != [16]byte{} {
		n.EventID = p.EventID.String()
	}
	raw, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("writing the notice of a dead letter: %w", err)
	}
	// a lane of its own in the relay: no notice holds an event of the key up
	return t.append(emission{Row: Row{
		EventID: t.store.newUUID(), Topic: p.Topic + events.DeadLetterSuffix, EventType: NoticeType, Key: "dead-letter/" + p.Key, Payload: raw,
		CorrelationID: p.CorrelationID, CausationID: n.EventID, OccurredAt: t.now,
	}})
}

// Headers are the notice in a form that brokers' own tools show (interfaces.md, "Names outside"). Values are single lines of
// at most 1,024 bytes, Pub/Sub's limit.
func (n Notice) Headers() map[string]string {
	headers := map[string]string{}
	for name, value := range map[string]string{
		"topic": n.Topic, "partition": n.Partition, "offset": n.Offset, "consumer": n.Consumer, "code": n.Code, "message": n.Message,
		"timestamp": n.Timestamp.UTC().Format(time.RFC3339Nano),
	} {
		if value != "" {
			headers["__dlq.errors."+name] = headerValue(value)
		}
	}
	return headers
}

const headerLimit = 1024

// headerValue is text that every broker takes as a header and every terminal shows as one line.
func headerValue(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > headerLimit {
		text = strings.ToValidUTF8(text[:headerLimit], "")
	}
	return text
}

// ReadNotice reads the body of a notice.
func ReadNotice(body []byte) (n Notice, err error) {
	if err := json.Unmarshal(body, &n); err != nil {
		return n, fmt.Errorf("reading the notice of a dead letter: %w", err)
	}
	return n, nil
}
