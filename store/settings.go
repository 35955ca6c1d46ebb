package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// Tables names the tables of this database.
func (s *Store) Tables(ctx context.Context, r Reader) ([]string, error) {
	return All(ctx, r, scanString, s.dialect.tables)
}

// Setting reads a setting of this database, "" if it is not set.
func Setting(ctx context.Context, r Reader, name string) (string, error) {
	value, _, err := One(ctx, r, scanString, "SELECT value FROM settings WHERE name = $1", name)
	return value, err
}

// Set writes a setting of this database.
func (t *Tx) Set(ctx context.Context, name, value string) error {
	_, err := t.Exec(ctx, "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}

// Answer is the stored first answer to a request with an Idempotency-Key.
type Answer struct {
	Request []byte // digest of the request's body
	Status  int
	Header  string // JSON
	Body    []byte
}

// ErrKeyTaken says that the Idempotency-Key was stored meanwhile.
var ErrKeyTaken = errors.New("store: the idempotency key is taken")

// StoredAnswer reads the answer kept under a scope (method, path, caller and key).
func StoredAnswer(ctx context.Context, r Reader, scope string) (Answer, bool, error) {
	return One(ctx, r, func(s Scanner) (a Answer, err error) {
		return a, s.Scan(&a.Request, &a.Status, &a.Header, &a.Body)
	}, "SELECT request, status, header, body FROM http_idempotency WHERE scope = $1", scope)
}

// KeepAnswer stores a first answer with the effect that it tells of.
func (t *Tx) KeepAnswer(ctx context.Context, scope string, a Answer) error {
	n, err := t.Exec(ctx, `INSERT INTO http_idempotency (scope, request, status, header, body, created_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (scope) DO NOTHING`,
		scope, a.Request, a.Status, a.Header, a.Body, micros(t.now))
	if err == nil && n == 0 {
		err = ErrKeyTaken
	}
	return err
}

// NewID makes a time-ordered UUID where no transaction is at hand.
func (s *Store) NewID() uuid.UUID { return s.newUUID() }

// Audit records what a person did: who, what, to what, why.
func (t *Tx) Audit(ctx context.Context, actor, action, target, detail string) error {
	_, err := t.Exec(ctx, "INSERT INTO audit (at, actor, action, target, detail) VALUES ($1, $2, $3, $4, $5)", micros(t.now), actor, action, target, detail)
	return err
}

// Audited is what a person did.
type Audited struct {
	At                            time.Time
	Actor, Action, Target, Detail string
}

// AuditOf reads what was done to a target, in order.
func AuditOf(ctx context.Context, r Reader, target string) ([]Audited, error) {
	return All(ctx, r, func(s Scanner) (a Audited, err error) {
		var at int64
		err = s.Scan(&at, &a.Actor, &a.Action, &a.Target, &a.Detail)
		a.At = Time(at)
		return a, err
	}, "SELECT at, actor, action, target, detail FROM audit WHERE target = $1 ORDER BY id LIMIT 100", target)
}
