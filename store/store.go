package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/first-viscount/viscount/events"
)

const (
	defaultGroup = 64   // members that share a commit
	queueLength  = 4096 // members that wait for the committer; beyond it Do blocks
)

// Options describe one service's database.
type Options struct {
	Service    string            // the service's name: the file's or schema's, and the consumer's
	Source     string            // source_service of the events emitted here; empty for any, as in tests of one service
	Dir        string            // SQLite: the folder of {service}.db
	Postgres   Postgres          // PostgreSQL, if its URL is set
	Migrate    Migrating         // what Open does about missing migrations; MigrateApply if ""
	Catalogue  *events.Catalogue // contracts of what may be published
	Migrations fs.FS             // the service's own tables; nil if it has none

	Clock      func() time.Time        // time.Now if nil
	Logger     *slog.Logger            // slog.Default if nil
	Registerer prometheus.Registerer   // metrics; none if nil
	Metrics    *Metrics                // shared by the stores of one process; made from Registerer if nil
	Failpoint  func(name string) error // fault injection for tests; nil in production
	GroupSize  int                     // members per commit; 64 if 0
}

// Store is one service's database. A SQLite file is opened by one process, a PostgreSQL schema by any number of instances.
type Store struct {
	name, source string
	options      Options // for a shadow
	dialect      dialect
	catalogue    *events.Catalogue
	clock        func() time.Time
	log          *slog.Logger
	metrics      *Metrics
	failpointAt  func(string) error
	groupSize    int

	db    database
	relay *relay
	jobs  jobClock

	queue      chan *member
	compacts   chan chan error // to the committer: rewrite the file; see compact
	closing    chan struct{}
	running    sync.WaitGroup // the committer, and the refreshing of a shared database
	doing      sync.RWMutex   // Do against Close
	closed     bool
	parkedRows atomic.Int64 // rows that were not refused, of what is committed
	horizon    atomic.Int64 // see Horizon, in microseconds
	commits    atomic.Int64
	listenMu   sync.Mutex
	listeners  map[int]func()
	listenNext int
	shadowed   atomic.Bool // a shadow stands; of a SQLite file
	members    atomic.Int64
	run        string       // this process's row in runs
	session    atomic.Int64 // the committer's connections so far; each ends the locks of the one before
	unclean    atomic.Int64 // see Unclean, in microseconds
	crashes    atomic.Int64 // lately
	hurrying   atomic.Int64 // who wants commits at once
}

// Open opens the database, creating and migrating it as needed, and starts its committer.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{
		name: o.Service, source: o.Source, options: o, catalogue: o.Catalogue, clock: o.Clock, log: o.Logger,
		metrics: o.Metrics, failpointAt: o.Failpoint, groupSize: o.GroupSize,
		queue: make(chan *member, queueLength), compacts: make(chan chan error), closing: make(chan struct{}), listeners: map[int]func(){},
	}
	s.setDefaults(o.Registerer)
	var err error
	s.dialect, s.db, err = openDatabase(ctx, o)
	if err != nil {
		return nil, &Failure{Operation: "open", Err: err}
	}
	if err := migrate(ctx, s.dialect, s.db.write, o); err != nil {
		return nil, errors.Join(&Failure{Operation: "migrate", Err: fmt.Errorf("%s: %w", s.name, err)}, s.db.close())
	}
	if err := errors.Join(s.countParked(ctx), s.loadHorizon(ctx)); err != nil {
		return nil, errors.Join(err, s.db.close())
	}
	s.relay = newRelay(s)
	s.jobs.wake = make(chan struct{}, 1)
	s.run = s.newUUID().String()
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// start begins to commit, and finds out how the processes before this one ended.
func (s *Store) start(ctx context.Context) error {
	conn := newConnection(s.db.write, &s.dialect)
	if !s.dialect.sole {
		conn.connected = s.markRun
	}
	s.running.Go((&committer{store: s, conn: conn}).run)
	if err := s.beginRun(ctx); err != nil {
		return err
	}
	if s.dialect.sole {
		return s.freeLeases(ctx)
	}
	s.running.Go(s.refresh)
	return nil
}

func openDatabase(ctx context.Context, o Options) (dialect, database, error) {
	if o.Postgres.URL != "" {
		db, err := openPostgres(ctx, o.Service, o.Postgres)
		return postgresDialect, db, err
	}
	db, err := openSQLite(o.Dir, o.Service)
	return sqliteDialect, db, err
}

func (s *Store) setDefaults(r prometheus.Registerer) {
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.log = s.log.With("service", s.name)
	if s.metrics == nil {
		s.metrics = NewMetrics(r)
	}
	s.metrics.begin(s.name)
	if s.groupSize == 0 {
		s.groupSize = defaultGroup
	}
}

// Name is the service's name.
func (s *Store) Name() string { return s.name }

// Source is the source_service of what is emitted here.
func (s *Store) Source() string { return s.source }

// Catalogue is the set of contracts that may be published here.
func (s *Store) Catalogue() *events.Catalogue { return s.catalogue }

// Now is the store's clock, UTC, in microseconds.
func (s *Store) Now() time.Time { return s.now() }

func (s *Store) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// newUUID makes a version 7 UUID: time-ordered, so that inserts into its indexes append.
func (s *Store) newUUID() uuid.UUID {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.New() // the random source failed for the ordered kind; any unique id will do
	}
	return id
}

// Do runs fn as one transaction and returns after its commit was flushed: nil means accepted. An error of fn rolls
// everything back and is returned as it is; a Failure is the database's. fn may run more than once (a lost group is
// run again), so it must have no effect but through tx. ctx bounds fn, checked between statements.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	return s.DoKey(ctx, "", fn)
}

// DoKey is Do with the lock of an ordering key, taken before anything else and held to the commit: over all instances, one
// transaction at a time works on a key.
func (s *Store) DoKey(ctx context.Context, key string, fn func(ctx context.Context, tx *Tx) error) error {
	m := &member{ctx: ctx, key: key, fn: fn, origin: OriginFrom(ctx), done: make(chan error, 1)}
	if err := s.enqueue(ctx, m); err != nil {
		return err
	}
	return <-m.done
}

func (s *Store) enqueue(ctx context.Context, m *member) error {
	s.doing.RLock()
	defer s.doing.RUnlock()
	if s.closed {
		return ErrClosed
	}
	select {
	case s.queue <- m:
		return nil
	case <-ctx.Done():
		return noTurn(ctx)
	}
}

// View runs fn on a snapshot of the database beside the writer.
func (s *Store) View(ctx context.Context, fn func(ctx context.Context, r Reader) error) error {
	tx, err := s.db.read.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true, Isolation: s.dialect.snapshot})
	if err != nil {
		return s.failure("read", err)
	}
	err = fn(ctx, snapshot{tx, s.dialect.kind})
	if e := tx.Rollback(); e != nil && err == nil {
		err = s.failure("read", e)
	}
	return err
}

// snapshot checks its context between statements, as Tx does: a statement that can be cancelled costs more than it reads.
type snapshot struct {
	tx   *sql.Tx
	kind Kind
}

func (s snapshot) Kind() Kind { return s.kind }

func (s snapshot) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s.tx.QueryContext(context.WithoutCancel(ctx), query, args...)
}

func (s snapshot) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return s.tx.QueryRowContext(context.WithoutCancel(ctx), query, args...)
}

// Close waits for queued work to commit, then closes the database. Relay and job runners must have returned.
func (s *Store) Close() error {
	s.doing.Lock()
	if s.closed {
		s.doing.Unlock()
		return nil
	}
	s.closed = true
	s.doing.Unlock()
	close(s.closing)
	s.running.Wait()
	s.endRun()
	return s.db.close()
}

// Shared tells whether other instances may work on the same database.
func (s *Store) Shared() bool { return !s.dialect.sole }

func (s *Store) failpoint(name string) error {
	if s.failpointAt == nil {
		return nil
	}
	return s.failpointAt(name)
}

// Failed counts a failure of the database that work above it ran into, which logs it.
func (s *Store) Failed(operation string, err error) error {
	s.metrics.failures.WithLabelValues(s.name, operation).Inc()
	return &Failure{Operation: operation, Err: err}
}

func (s *Store) failure(operation string, err error) error {
	s.metrics.failures.WithLabelValues(s.name, operation).Inc()
	s.log.Error("the database failed", "operation", operation, "error", err)
	return &Failure{Operation: operation, Err: err}
}

// NoteAbandoned counts a handler that ignored its deadline and was given up.
func (s *Store) NoteAbandoned() { s.metrics.abandoned.WithLabelValues(s.name).Inc() }

func (s *Store) noteCommit(members int) {
	s.commits.Add(1)
	s.members.Add(int64(members))
	s.metrics.commits.WithLabelValues(s.name).Inc()
	s.metrics.members.WithLabelValues(s.name).Add(float64(members))
}

// TransportUp tells whether the transport took what the relay gave it last.
func (s *Store) TransportUp() bool { return !s.relay.failing.Load() }

// Commits tells how many commits were flushed since the store was opened, and how many transactions shared them.
func (s *Store) Commits() (commits, transactions int64) { return s.commits.Load(), s.members.Load() }
