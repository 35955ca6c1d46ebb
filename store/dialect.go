package store

import (
	"database/sql"
	"errors"
	"strings"

	"github.com/pressly/goose/v3"
)

// Kind tells the databases apart, for the few queries that cannot be written for both.
type Kind string

// The databases.
const (
	SQLite     Kind = "sqlite"
	PostgreSQL Kind = "postgres"
)

// dialect is what the two databases say and do differently.
type dialect struct {
	kind        Kind
	begin       string                  // begins a writing transaction
	parkedAmong string                  // finds those of a list of keys for which events are parked
	list        func(keys []string) any // a list as an argument
	outbox      string                  // the outbox where it is written to
	pendingNext string                  // reads those of its rows after $1 that the transport has not taken, in order, at most $2
	backlog     string                  // counts these by topic
	skipLocked  string                  // ends a SELECT that passes over rows which another process works on
	goose       goose.Dialect
	hasTable    string // tells whether a table exists
	tables      string // names the tables
	snapshot    sql.IsolationLevel
	tokens      *strings.Replacer // in migrations
	sole        bool              // one process owns the database, so that its memory is the truth and its one writer is the lock
	lost        func(error) bool  // the transaction was lost to others (deadlock, serialization): the same work may succeed when run again
	unknown     func(error) bool  // a commit that failed so may have happened
}

// database is an opened database.
type database struct {
	write, read *sql.DB
	lock        *fileLock // SQLite's; nil on PostgreSQL
}

func (d database) close() error {
	var errs []error
	if d.write != nil {
		errs = append(errs, d.write.Close())
	}
	if d.read != nil && d.read != d.write {
		errs = append(errs, d.read.Close())
	}
	return errors.Join(append(errs, d.lock.release())...)
}
