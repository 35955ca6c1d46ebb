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
	Catalogue  *events.Catalogue // contracts of what may be published
	Migrations fs.FS             // the service's own tables; nil if it has none

	Clock      func() time.Time        // time.Now if nil
	Logger     *slog.Logger            // slog.Default if nil
	Registerer prometheus.Registerer   // metrics; none if nil
	Metrics    *Metrics                // shared by the stores of one process; made from Registerer if nil
	Failpoint  func(name string) error // fault injection for tests; nil in production
	GroupSize  int                     // members per commit; 64 if 0
}

// Store is one service's database, opened by one process.
type Store struct {
	name, source string
	dialect      dialect
	catalogue    *events.Catalogue
	clock        func() time.Time
	log          *slog.Logger
	metrics      *Metrics
	failpointAt  func(string) error
	groupSize    int

	writeDB, readDB *sql.DB
	conn            *connection
	lock            *fileLock
	relay           *relay
	jobs            jobClock

	queue      chan *member
	closing    chan struct{}
	stopped    chan struct{}
	doing      sync.RWMutex // Do against Close
	closed     bool
	parkedRows atomic.Int64 // rows that were not refused; never too low
	horizon    atomic.Int64 // see Horizon, in microseconds
	commits    atomic.Int64
	listenMu   sync.Mutex
	listeners  map[int]func()
	listenNext int
	members    atomic.Int64
}

// Open opens the database, creating and migrating it as needed, and starts its committer.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{
		name: o.Service, source: o.Source, dialect: sqliteDialect, catalogue: o.Catalogue, clock: o.Clock, log: o.Logger,
		metrics: o.Metrics, failpointAt: o.Failpoint, groupSize: o.GroupSize,
		queue: make(chan *member, queueLength), closing: make(chan struct{}), stopped: make(chan struct{}), listeners: map[int]func(){},
	}
	s.setDefaults(o.Registerer)
	var err error
	s.writeDB, s.readDB, s.lock, err = openSQLite(o.Dir, o.Service)
	if err != nil {
		return nil, &Failure{Operation: "open", Err: err}
	}
	if err := s.prepare(ctx, o.Migrations); err != nil {
		return nil, errors.Join(err, s.release())
	}
	if err := errors.Join(s.countParked(ctx), s.loadHorizon(ctx)); err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.relay = newRelay(s)
	s.jobs.wake = make(chan struct{}, 1)
	go (&committer{store: s, conn: s.conn}).run()
	if err := s.freeLeases(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
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
	if s.groupSize == 0 {
		s.groupSize = defaultGroup
	}
}

func (s *Store) prepare(ctx context.Context, service fs.FS) error {
	if err := migrate(ctx, s.writeDB, s.dialect, service); err != nil {
		return &Failure{Operation: "migrate", Err: fmt.Errorf("%s: %w", s.name, err)}
	}
	conn, err := newConnection(ctx, s.writeDB, s.dialect.begin)
	if err != nil {
		return &Failure{Operation: "open", Err: err}
	}
	s.conn = conn
	return nil
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
	m := &member{ctx: ctx, fn: fn, origin: OriginFrom(ctx), done: make(chan error, 1)}
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
		return ctx.Err()
	}
}

// View runs fn on a snapshot of the database beside the writer.
func (s *Store) View(ctx context.Context, fn func(ctx context.Context, r Reader) error) error {
	tx, err := s.readDB.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return s.failure("read", err)
	}
	err = fn(ctx, snapshot{tx})
	if e := tx.Rollback(); e != nil && err == nil {
		err = s.failure("read", e)
	}
	return err
}

// snapshot checks its context between statements, as Tx does: a statement that can be cancelled costs more than it reads.
type snapshot struct{ tx *sql.Tx }

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
	<-s.stopped
	return s.release()
}

func (s *Store) release() error {
	var errs []error
	if s.conn != nil {
		errs = append(errs, s.conn.close())
	}
	return errors.Join(append(errs, s.readDB.Close(), s.writeDB.Close(), s.lock.release())...)
}

func (s *Store) failpoint(name string) error {
	if s.failpointAt == nil {
		return nil
	}
	return s.failpointAt(name)
}

func (s *Store) failure(operation string, err error) error {
	s.metrics.failures.WithLabelValues(s.name, operation).Inc()
	s.log.Error("the database failed", "operation", operation, "error", err)
	return &Failure{Operation: operation, Err: err}
}

func (s *Store) noteCommit(members int) {
	s.commits.Add(1)
	s.members.Add(int64(members))
	s.metrics.commits.WithLabelValues(s.name).Inc()
	s.metrics.members.WithLabelValues(s.name).Add(float64(members))
}

// TransportUp tells whether the transport took what the relay gave it last.
func (s *Store) TransportUp() bool { return !s.relay.failing.Load() }

// Queued is how many transactions wait for the committer.
func (s *Store) Queued() int { return len(s.queue) }

// Commits tells how many commits were flushed since the store was opened, and how many transactions shared them.
func (s *Store) Commits() (commits, transactions int64) { return s.commits.Load(), s.members.Load() }
