package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
)

// Reader runs queries: a Tx inside Do, or the snapshot inside View.
type Reader interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
	Kind() Kind
}

// Scanner is the row that a scan function reads.
type Scanner interface{ Scan(dest ...any) error }

// All reads every row of a query with scan. It holds no cursor when it returns, so statements may follow.
func All[T any](ctx context.Context, r Reader, scan func(Scanner) (T, error), query string, args ...any) (_ []T, err error) {
	rows, err := r.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// One reads the first row of a query; found is false when there is none.
func One[T any](ctx context.Context, r Reader, scan func(Scanner) (T, error), query string, args ...any) (one T, found bool, err error) {
	all, err := All(ctx, r, scan, query, args...)
	if err != nil || len(all) == 0 {
		return one, false, err
	}
	return all[0], true, nil
}

// Tx is one transaction. It ends when the function given to Do returns; used later it answers ErrClosed.
type Tx struct {
	store  *Store
	conn   *connection
	ctx    context.Context // the member's, checked between statements
	origin Origin
	now    time.Time

	mu     sync.Mutex // held by each statement, so that fencing never interrupts one
	closed bool

	key    string          // the ordering key that is locked
	parked map[string]bool // keys of the group for which events are parked
	alone  bool            // waits for locks
	putOff bool            // found one taken

	writes     int
	emitted    []emission
	counts     map[string]int64
	committed  []func()
	jobsDue    time.Time // earliest due time of the jobs enqueued here
	moreParked int64     // than before, once this is committed
}

// Kind is the database's.
func (t *Tx) Kind() Kind { return t.store.dialect.kind }

// Now is the transaction's time, UTC, in microseconds: the only clock of a handler.
func (t *Tx) Now() time.Time { return t.now }

// NewID makes an id that sorts by time, as in NewID("pay") → "pay_0198…".
func (t *Tx) NewID(prefix string) string {
	return prefix + "_" + strings.ReplaceAll(t.store.newUUID().String(), "-", "")
}

// Origin is what this transaction was caused by.
func (t *Tx) Origin() Origin { return t.origin }

// Lock keeps every other transaction that locks one of the keys, on any instance, out until the commit: call it before
// reading what will be changed. Events and jobs hold the lock of their own ordering key already. On SQLite, whose one writer
// is the lock, it does nothing. An error must be returned as it is: the transaction is then run again.
func (t *Tx) Lock(ctx context.Context, keys ...string) error {
	if t.store.dialect.sole || len(keys) == 0 {
		return nil
	}
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.mu.Unlock()
	numbers := t.store.keyLocks(keys)
	if t.alone {
		_, err := t.conn.exec(lockAll, numbers)
		return err
	}
	free := false
	err := t.conn.each(lockTry, func(rows Scanner) error { return rows.Scan(&free) }, numbers)
	if err == nil && !free { // waiting here, with the locks of other members held, would be a deadlock
		t.putOff, err = true, errPutOff
	}
	return err
}

// Exec runs a statement and tells how many rows it changed. Placeholders are $1, $2, …
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if err := t.enter(ctx); err != nil {
		return 0, err
	}
	defer t.mu.Unlock()
	t.writes++
	return t.conn.exec(query, args...)
}

// Query runs a query; All and One are the safer way to read it.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.enter(ctx); err != nil {
		return nil, err
	}
	defer t.mu.Unlock()
	stmt, err := t.conn.prepared(query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(context.Background(), args...)
}

// QueryRow runs a query that gives at most one row; its Scan answers sql.ErrNoRows when there is none.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	if err := t.enter(ctx); err != nil {
		return t.store.failedRow(err)
	}
	defer t.mu.Unlock()
	stmt, err := t.conn.prepared(query)
	if err != nil {
		return t.store.failedRow(err)
	}
	return stmt.QueryRowContext(context.Background(), args...)
}

// failedRow is a Row whose Scan answers err: database/sql puts into it how the query's context has ended.
func (s *Store) failedRow(err error) *sql.Row {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	return s.db.read.QueryRowContext(failed{ended, err}, "")
}

// failed is a context that has ended with an error of its own.
type failed struct {
	context.Context
	err error
}

func (f failed) Err() error { return f.err }

// enter takes the statement lock unless the transaction has ended or its deadline has passed. Statements themselves get a
// context that cannot be cancelled: a cancellable one costs 2.5 times as much in the SQLite driver.
func (t *Tx) enter(ctx context.Context) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	err := t.ctx.Err()
	if err == nil && ctx != t.ctx {
		err = ctx.Err()
	}
	if err != nil {
		t.mu.Unlock()
		return err
	}
	return nil
}

// fence ends the transaction for whoever still holds it, after the statement that runs.
func (t *Tx) fence() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
}

// OnCommit runs f once after the commit, on the committer: f must not block.
func (t *Tx) OnCommit(f func()) { t.committed = append(t.committed, f) }

// Wrote tells whether anything was changed, emitted or enqueued so far.
func (t *Tx) Wrote() bool { return t.writes > 0 || len(t.emitted) > 0 }

// Count adds n to a durable counter of this database, as part of the transaction.
func (t *Tx) Count(name string, n int64) {
	if t.counts == nil {
		t.counts = map[string]int64{}
	}
	t.counts[name] += n
}

// Emit validates a payload as its publisher and enters it into the outbox, caused by the event or request in hand. An error
// names the field that breaks the contract. Foreign correlation ids are taken as they are.
func (t *Tx) Emit(p events.Payload) error { return t.emit(t.origin, p) }

// For emits with the correlation id of an entity, where the event in hand (if any) belongs to another one.
func (t *Tx) For(correlationID string) Emitter {
	origin := t.origin
	origin.CorrelationID = correlationID
	return Emitter{tx: t, origin: origin}
}

// Emitter emits on behalf of one entity; see Tx.For.
type Emitter struct {
	tx     *Tx
	origin Origin
}

// Emit is Tx.Emit with the entity's correlation id.
func (e Emitter) Emit(p events.Payload) error { return e.tx.emit(e.origin, p) }

func (t *Tx) emit(origin Origin, p events.Payload) error {
	contract := p.Contract()
	id := t.store.newUUID()
	if origin.CorrelationID == "" {
		origin.CorrelationID = id.String() // the first event of a chain names it
	}
	env := events.Envelope{
		EventID: id, CorrelationID: origin.CorrelationID, Timestamp: t.now, SourceService: cmp.Or(t.store.source, contract.Publisher),
		EventVersion: contract.Version, EventType: contract.Type,
	}
	raw, err := events.Encode(env, p)
	if err != nil {
		return fmt.Errorf("emitting %s: %w", contract.Type, err)
	}
	key := events.KeyOf(p)
	e := emission{sequenced: true}
	e.Row = Row{
		EventID: id, Topic: contract.Topic(), EventType: contract.Type, Key: key, Payload: raw,
		CorrelationID: env.CorrelationID, CausationID: origin.CausationID, OccurredAt: t.now,
	}
	e.TraceParent, e.TraceState = traceOf(t.ctx)
	return t.append(e)
}

func (t *Tx) append(e emission) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	t.emitted = append(t.emitted, e)
	return nil
}

// micros is how times are stored.
func micros(at time.Time) int64 { return at.UnixMicro() }

// Micros is how times are stored: microseconds since 1970, UTC.
func Micros(at time.Time) int64 { return micros(at) }

// Time reads what Micros wrote.
func Time(us int64) time.Time { return time.UnixMicro(us).UTC() }

// MicrosOf stores an optional time: nil is NULL.
func MicrosOf(at *time.Time) any {
	if at == nil {
		return nil
	}
	return micros(*at)
}

// TimeOf reads an optional time.
func TimeOf(us sql.NullInt64) *time.Time {
	if !us.Valid {
		return nil
	}
	at := Time(us.Int64)
	return &at
}

// Bit is how a flag is stored: SMALLINT 0 or 1, which both databases read back as a bool.
func Bit(flag bool) int {
	if flag {
		return 1
	}
	return 0
}

func idBytes(id uuid.UUID) []byte { return id[:] }
