package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/first-viscount/viscount/internal/postgres"
)

// ErrShadowed says that a shadow of the database stands already: it is filled, here or at another instance.
var ErrShadowed = errors.New("store: the projection is being rebuilt already")

const shadowSuffix = "_rebuild"

// Shadow is an empty database of the same tables beside a service's own, a file or schema of its own: a projection is filled
// in it again while the old one goes on answering. Nothing that is emitted or enqueued in it leaves it. It does not outlive its
// process for long: the next one removes it.
type Shadow struct {
	*Store
	unlock func() error
}

// Shadow makes an empty shadow, of which there is one at a time over all instances (ErrShadowed).
func (s *Store) Shadow(ctx context.Context) (_ *Shadow, err error) {
	unlock, err := s.clearShadow(ctx)
	if err != nil {
		return nil, err
	}
	o := s.options
	o.Service, o.Migrate, o.Logger, o.Metrics, o.Registerer = s.shadowName(), MigrateApply, slog.New(slog.DiscardHandler), nil, nil
	shadow, err := Open(ctx, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the shadow of %s: %w", s.name, err), unlock())
	}
	return &Shadow{Store: shadow, unlock: unlock}, nil
}

// ClearShadow removes what a process that was killed left. A shadow that is in use stays (ErrShadowed).
func (s *Store) ClearShadow(ctx context.Context) error {
	unlock, err := s.clearShadow(ctx)
	if err != nil {
		return err
	}
	return unlock()
}

// Remove closes the shadow and removes it.
func (sh *Shadow) Remove(ctx context.Context, of *Store) error {
	return errors.Join(sh.Close(), of.dropShadow(ctx), sh.unlock())
}

func (s *Store) shadowName() string { return s.name + shadowSuffix }

// clearShadow removes a shadow that nobody uses, and holds its place until unlock.
func (s *Store) clearShadow(ctx context.Context) (unlock func() error, err error) {
	if unlock, err = s.lockShadow(ctx); err != nil {
		return nil, err
	}
	if err := s.dropShadow(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("removing the shadow of %s: %w", s.name, err), unlock())
	}
	return unlock, nil
}

// lockShadow is on PostgreSQL a lock of a session of its own, which ends with the process; of a SQLite file, this process is
// the only one.
func (s *Store) lockShadow(ctx context.Context) (unlock func() error, err error) {
	if s.dialect.sole {
		if !s.shadowed.CompareAndSwap(false, true) {
			return nil, ErrShadowed
		}
		return func() error { s.shadowed.Store(false); return nil }, nil
	}
	p := s.options.Postgres
	db, err := postgres.Open(ctx, postgres.Target{Setting: "store.postgres", URL: p.URL, Password: p.Password, Name: "viscount-" + s.shadowName(), Schema: s.name, Pool: 1})
	if err != nil {
		return nil, &Failure{Operation: "open", Err: err}
	}
	held := false
	err = db.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", lockNumber(s.name, "shadow")).Scan(&held)
	if err == nil && !held {
		err = ErrShadowed
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return func() error { // unlocked first: the server may end a closed session a while later
		_, err := db.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock_all()")
		return errors.Join(err, db.Close())
	}, nil
}

func (s *Store) dropShadow(ctx context.Context) error {
	if !s.dialect.sole {
		_, err := s.db.read.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+s.shadowSchema()+" CASCADE")
		return err
	}
	var errs []error
	path := file(s.options.Dir, s.shadowName())
	for _, end := range []string{"", "-wal", "-shm", ".lock"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *Store) shadowSchema() string { return pgx.Identifier{s.shadowName()}.Sanitize() }

// Rows are some rows of a table, all of them if Where is "".
type Rows struct{ Table, Where string }

func (r Rows) from(schema string) string {
	if schema != "" {
		schema += "."
	}
	from := " FROM " + schema + r.Table
	if r.Where != "" {
		from += " WHERE " + r.Where
	}
	return from
}

// CopyIn copies rows of this database into the shadow, in its transaction, and tells how many there are.
func (s *Store) CopyIn(ctx context.Context, tx *Tx, rows Rows) (int64, error) {
	return copyRows(ctx, tx, s, s.name, rows, "")
}

// TakeOver replaces tables with those of the shadow.
func (t *Tx) TakeOver(ctx context.Context, shadow *Shadow, tables ...string) error {
	for _, table := range tables {
		if _, err := t.Exec(ctx, "DELETE FROM "+table); err != nil {
			return fmt.Errorf("emptying %s: %w", table, err)
		}
		if _, err := copyRows(ctx, t, shadow.Store, shadow.name, Rows{Table: table}, ""); err != nil {
			return err
		}
	}
	return nil
}

// TakeInbox makes this inbox remember what the shadow has ended, its follows too. What stands in it already stays as it is.
func (t *Tx) TakeInbox(ctx context.Context, shadow *Shadow) error {
	for _, state := range []State{Applied, Ignored} {
		rows := Rows{Table: "inbox", Where: fmt.Sprintf("state = %d ORDER BY pos", state)}
		n, err := copyRows(ctx, t, shadow.Store, shadow.name, rows, " ON CONFLICT (event_id) DO NOTHING", "pos")
		if err != nil {
			return err
		}
		t.Count(state.String(), n)
	}
	_, err := copyRows(ctx, t, shadow.Store, shadow.name, Rows{Table: "marks"}, " ON CONFLICT DO NOTHING")
	return err
}

// copyRows copies rows from another database of the same service: by one statement where both are schemas of one database,
// else row by row.
func copyRows(ctx context.Context, to *Tx, from *Store, schema string, rows Rows, conflict string, without ...string) (n int64, err error) {
	columns, err := columnsOf(ctx, to, rows.Table, without)
	if err != nil {
		return 0, fmt.Errorf("reading the columns of %s: %w", rows.Table, err)
	}
	list := strings.Join(columns, ", ")
	insert := "INSERT INTO " + rows.Table + " (" + list + ")"
	if !to.store.dialect.sole {
		n, err = to.Exec(ctx, insert+" SELECT "+list+rows.from(pgx.Identifier{schema}.Sanitize())+conflict)
	} else {
		insert += " VALUES (" + placeholders(1, len(columns)) + ")" + conflict
		err = from.View(ctx, func(ctx context.Context, r Reader) error {
			return eachRow(ctx, r, "SELECT "+list+rows.from(""), len(columns), func(values []any) error {
				changed, err := to.Exec(ctx, insert, values...)
				n += changed
				return err
			})
		})
	}
	if err != nil {
		return n, fmt.Errorf("copying %s: %w", rows.Table, err)
	}
	return n, nil
}

func eachRow(ctx context.Context, r Reader, query string, columns int, do func(values []any) error) (err error) {
	rows, err := r.Query(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	values, into := make([]any, columns), make([]any, columns)
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		if err := do(values); err != nil {
			return err
		}
	}
	return rows.Err()
}

// columnsOf names a table's columns that can be written: not those that the database derives.
func columnsOf(ctx context.Context, r Reader, table string, without []string) ([]string, error) {
	query := "SELECT name FROM pragma_table_info($1) ORDER BY cid"
	if r.Kind() == PostgreSQL {
		query = "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER' ORDER BY ordinal_position"
	}
	names, err := All(ctx, r, scanString, query, table)
	if err != nil {
		return nil, err
	}
	var columns []string
	for _, name := range names {
		if len(without) == 0 || name != without[0] {
			columns = append(columns, pgx.Identifier{name}.Sanitize())
		}
	}
	if len(columns) == 0 {
		return nil, fmt.Errorf("no table %s", table)
	}
	return columns, nil
}

// CountRows is how many rows there are.
func CountRows(ctx context.Context, r Reader, rows Rows) (n int64, err error) {
	return n, r.QueryRow(ctx, "SELECT COUNT(*)"+rows.from("")).Scan(&n)
}

// LockInbox keeps every other transaction of the service that handles events out until the commit, on all instances.
func (t *Tx) LockInbox(ctx context.Context) error {
	if t.store.dialect.sole {
		return nil // the one writer is the lock
	}
	_, err := t.Exec(ctx, "LOCK TABLE inbox IN SHARE ROW EXCLUSIVE MODE")
	return err
}

// Arrived is an event as the inbox has it.
type Arrived struct {
	Position int64
	EventID  uuid.UUID
	State    State
}

func scanArrived(s Scanner) (a Arrived, err error) {
	var id []byte
	if err = s.Scan(&a.Position, &id, &a.State); err != nil {
		return a, err
	}
	a.EventID, err = uuid.FromBytes(id)
	return a, err
}

// ArrivedAfter reads what reached the inbox after a position, in order.
func ArrivedAfter(ctx context.Context, r Reader, after int64, limit int) ([]Arrived, error) {
	return All(ctx, r, scanArrived, "SELECT pos, event_id, state FROM inbox WHERE pos > $1 ORDER BY pos LIMIT $2", after, limit)
}

// LastArrived is the position of what reached the inbox last, 0 when it is empty.
func LastArrived(ctx context.Context, r Reader) (int64, error) {
	pos, _, err := One(ctx, r, scanInt, "SELECT pos FROM inbox ORDER BY pos DESC LIMIT 1")
	return pos, err
}

// InState reads the events that stand in a state.
func InState(ctx context.Context, r Reader, state State) ([]Arrived, error) {
	return All(ctx, r, scanArrived, "SELECT pos, event_id, state FROM inbox WHERE state = $1 ORDER BY pos", state)
}

// StateOf is how an event stands; found is false when it never arrived.
func StateOf(ctx context.Context, r Reader, id uuid.UUID) (state State, found bool, err error) {
	return One(ctx, r, func(s Scanner) (state State, err error) { return state, s.Scan(&state) }, "SELECT state FROM inbox WHERE event_id = $1", idBytes(id))
}

// AllParked reads every event that waits, retries or is dead after its handler failed.
func AllParked(ctx context.Context, r Reader) ([]Parked, error) {
	return All(ctx, r, scanParked, "SELECT "+parkedColumns+" FROM parked WHERE refused = 0 ORDER BY id")
}

// Ended is how many events the consumer has ended since its database was made.
func Ended(ctx context.Context, r Reader) (int64, error) {
	n, _, err := One(ctx, r, scanInt, "SELECT COALESCE(CAST(SUM(value) AS BIGINT), 0) FROM counters WHERE name IN ('applied', 'ignored', 'discarded')")
	return n, err
}

// CountRecorded is how many recorded events there are after a row id, of some topics.
func CountRecorded(ctx context.Context, r Reader, after int64, topics ...string) (total int64, err error) {
	for _, topic := range topics {
		var n int64
		if err := r.QueryRow(ctx, "SELECT COUNT(*) FROM outbox WHERE topic = $1 AND id > $2", topic, after).Scan(&n); err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}
