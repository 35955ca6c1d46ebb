package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/first-viscount/viscount/events"
)

// Erasure tells what erasing a person's data changed in one database.
type Erasure struct {
	At       time.Time // events about the person from before it hold placeholders
	Recorded int64     // events of the outbox
	Parked   int64     // events that wait, are dead letters, or were refused in the any-language outbox
}

const erasePage = 500

// Erase removes a person's data (class:"personal" in the contracts): own does it in the service's tables, the events of the
// outbox and the parked ones get placeholders, and nothing is left of it in the database's files. It is done in small steps,
// the mark of the person first; after a failure or a crash it is repeated as a whole.
func (s *Store) Erase(ctx context.Context, subject string, own func(ctx context.Context, tx *Tx) error) (e Erasure, err error) {
	err = s.Do(ctx, func(ctx context.Context, tx *Tx) error {
		if err := tx.Lock(ctx, erasureLock+subject); err != nil {
			return err
		}
		e.At = tx.Now()
		if _, err := tx.Exec(ctx, "INSERT INTO erased (subject, at) VALUES ($1, $2) ON CONFLICT (subject) DO UPDATE SET at = excluded.at", subject, micros(e.At)); err != nil {
			return err
		}
		if own == nil {
			return nil
		}
		return own(ctx, tx)
	})
	if err != nil {
		return e, fmt.Errorf("erasing in %s: %w", s.name, err)
	}
	for _, d := range s.catalogue.All() {
		if !d.Personal() {
			continue
		}
		n, err := s.redact(ctx, place{s.dialect.outbox, "payload", "topic = $1 AND occurred_at <= $2", []any{d.Contract.Topic(), micros(e.At)}, false}, subject)
		e.Recorded += n
		if err != nil {
			return e, fmt.Errorf("redacting recorded events of %s: %w", s.name, err)
		}
	}
	for _, p := range []place{
		{"parked", "payload", "parked_at <= $1", []any{micros(e.At)}, true},
		{"outbox_external", "event", "refused_at <= $1", []any{micros(e.At)}, true},
	} {
		n, err := s.redact(ctx, p, subject)
		e.Parked += n
		if err != nil {
			return e, fmt.Errorf("redacting %s of %s: %w", p.table, s.name, err)
		}
	}
	return e, s.compact(ctx)
}

// place is where events are stored.
type place struct {
	table, column, where string
	args                 []any
	detail               bool // a text beside it may quote the event
}

// stored is a row that holds an event.
type stored struct {
	id      int64
	payload []byte
}

// redact rewrites the rows of a table that are about the person, a page at a time, and tells how many there were.
func (s *Store) redact(ctx context.Context, p place, subject string) (total int64, err error) {
	query := fmt.Sprintf("SELECT id, %s FROM %s WHERE %s AND id > $%d ORDER BY id LIMIT %d", p.column, p.table, p.where, len(p.args)+1, erasePage)
	for after := int64(0); ; {
		var page []stored
		err := s.View(ctx, func(ctx context.Context, r Reader) (err error) {
			page, err = All(ctx, r, func(row Scanner) (one stored, err error) {
				err = row.Scan(&one.id, &one.payload)
				return one, err
			}, query, append(append([]any{}, p.args...), after)...)
			return err
		})
		if err != nil || len(page) == 0 {
			return total, err
		}
		after = page[len(page)-1].id
		var changed []stored
		for _, row := range page {
			payload, err := s.redacted(row.payload, subject)
			if err != nil {
				return total, err
			}
			if !bytes.Equal(payload, row.payload) {
				changed = append(changed, stored{row.id, payload})
			}
		}
		if err := s.rewrite(ctx, p, changed); err != nil {
			return total, err
		}
		total += int64(len(changed))
	}
}

func (s *Store) rewrite(ctx context.Context, p place, rows []stored) error {
	if len(rows) == 0 {
		return nil
	}
	set := p.column + " = $1"
	if p.detail {
		set += ", detail = CASE WHEN detail <> '' THEN 'erased with a person''s data' ELSE detail END"
	}
	return s.Do(ctx, func(ctx context.Context, tx *Tx) error {
		for _, row := range rows {
			var event any = row.payload
			if p.column == "event" { // a JSON column
				event = string(row.payload)
			}
			if _, err := tx.Exec(ctx, "UPDATE "+p.table+" SET "+set+" WHERE id = $2", event, row.id); err != nil {
				return err
			}
		}
		return nil
	})
}

// unreadable stands for an event that nobody can read, so that nobody can tell what of it is personal.
var unreadable = []byte(`{"erased":true}`)

// redacted is what is kept of a stored event when a person's data is erased.
func (s *Store) redacted(payload []byte, subject string) ([]byte, error) {
	named := names(payload, []byte(subject))
	if !named && !bytes.ContainsRune(payload, '\\') { // nor in another spelling
		return payload, nil
	}
	d, err := s.catalogue.Decode(payload)
	switch {
	case err != nil && named:
		return unreadable, nil
	case err != nil || d.Subject() != subject:
		return payload, nil
	}
	return d.Redacted()
}

// names tells whether a text names an id: cust_1, not cust_12.
func names(text, id []byte) bool {
	for at := 0; ; at++ {
		i := bytes.Index(text[at:], id)
		if i < 0 {
			return false
		}
		at += i
		if (at == 0 || !idPart(text[at-1])) && (at+len(id) == len(text) || !idPart(text[at+len(id)])) {
			return true
		}
	}
}

func idPart(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

const erasureLock = "erasure/"

// Erased tells whether the data of the event's person was erased after it was written.
func Erased(ctx context.Context, r Reader, e *events.Decoded) (bool, error) {
	return erased(ctx, r, e.Subject(), e.Envelope.Timestamp)
}

// erased tells whether the data of the event's person was erased after it was written.
func erased(ctx context.Context, r Reader, subject string, at time.Time) (bool, error) {
	if subject == "" {
		return false, nil
	}
	return exists(ctx, r, "SELECT 1 FROM erased WHERE subject = $1 AND at >= $2", subject, micros(at))
}

// keepable is what may be stored of an event: one that comes late, about a person whose data was erased, is redacted first.
func (t *Tx) keepable(ctx context.Context, eventType string, payload []byte) ([]byte, error) {
	if t.store.catalogue == nil {
		return payload, nil
	}
	if !slices.ContainsFunc(t.store.catalogue.Majors(eventType), (*events.Definition).Personal) {
		return payload, nil
	}
	d, err := t.store.catalogue.Decode(payload)
	if err != nil || !d.Definition.Personal() {
		return payload, nil // a dead letter, as it came; or a major version that is about nobody
	}
	if err := t.Lock(ctx, erasureLock+d.Subject()); err != nil {
		return nil, err
	}
	if erased, err := erased(ctx, t, d.Subject(), d.Envelope.Timestamp); err != nil || !erased {
		return payload, err
	}
	return d.Redacted()
}
