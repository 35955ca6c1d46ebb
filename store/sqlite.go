package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the pure Go driver "sqlite"
)

// dialect is what the two databases say differently.
type dialect struct {
	name      string
	begin     string
	forUpdate string
	tokens    *strings.Replacer // in migrations
}

var sqliteDialect = dialect{
	name:   "sqlite",
	begin:  "BEGIN IMMEDIATE",
	tokens: strings.NewReplacer("{{serial}}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
}

// openSQLite opens {dir}/{service}.db for this process alone: one pool of one connection that writes, one that reads
// snapshots beside it (WAL). Every commit is flushed (synchronous=FULL).
func openSQLite(dir, service string) (write, read *sql.DB, lock *fileLock, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, nil, nil, fmt.Errorf("creating the data folder (store.sqlite.dir): %w", err)
	}
	path := filepath.Join(dir, service+".db")
	lock, err = lockFile(path + ".lock")
	if err != nil {
		return nil, nil, nil, fmt.Errorf("opening %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.release())
		}
	}()
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "wal_autocheckpoint(4000)", "cache_size(-4096)", "foreign_keys(ON)"}}
	write, err = sql.Open("sqlite", "file:"+path+"?"+pragmas.Encode())
	if err != nil {
		return nil, nil, nil, err
	}
	write.SetMaxOpenConns(1)
	if err := write.PingContext(context.Background()); err != nil {
		return nil, nil, nil, fmt.Errorf("opening %s: %w", path, errors.Join(err, write.Close()))
	}
	pragmas = url.Values{"_pragma": {"query_only(ON)", "busy_timeout(5000)", "cache_size(-1024)"}}
	read, err = sql.Open("sqlite", "file:"+path+"?"+pragmas.Encode())
	if err != nil {
		return nil, nil, nil, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, lock, nil
}

const readers = 4
