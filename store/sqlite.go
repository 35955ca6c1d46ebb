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

	"github.com/go-json-experiment/json"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the pure Go driver "sqlite"
)

var sqliteDialect = dialect{
	kind:        SQLite,
	begin:       "BEGIN IMMEDIATE",
	sole:        true,
	parkedAmong: "SELECT k.value FROM json_each($1) AS k WHERE EXISTS (SELECT 1 FROM parked WHERE key = k.value AND refused = 0)",
	list: func(keys []string) any {
		list, _ := json.Marshal(keys) // of text, which events' keys are
		return string(list)
	},
	outbox:      "outbox",
	pendingNext: "SELECT " + rowColumns + " FROM outbox WHERE done_at IS NULL AND id > $1 ORDER BY id LIMIT $2",
	backlog:     "SELECT topic, COUNT(*), MIN(occurred_at) FROM outbox WHERE done_at IS NULL GROUP BY topic",
	tokens:      strings.NewReplacer("{{serial}}", "INTEGER PRIMARY KEY AUTOINCREMENT", "{{json}}", "TEXT"),
	goose:       goose.DialectSQLite3,
	hasTable:    "SELECT COUNT(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1",
	tables:      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
	lost:        func(error) bool { return false },
	unknown:     func(error) bool { return false },
}

// openSQLite opens {dir}/{service}.db for this process alone: one pool of one connection that writes, one that reads
// snapshots beside it (WAL). Every commit is flushed (synchronous=FULL).
func openSQLite(dir, service string) (db database, err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return db, fmt.Errorf("creating the data folder (store.sqlite.dir): %w", err)
	}
	path := file(dir, service)
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return db, fmt.Errorf("opening %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.release())
		}
	}()
	pragmas := url.Values{"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)", "wal_autocheckpoint(4000)", "cache_size(-2048)", "foreign_keys(ON)"}}
	write, err := sql.Open("sqlite", "file:"+path+"?"+pragmas.Encode())
	if err != nil {
		return db, err
	}
	write.SetMaxOpenConns(1)
	if err := write.PingContext(context.Background()); err != nil {
		return db, fmt.Errorf("opening %s: %w", path, errors.Join(err, write.Close()))
	}
	pragmas = url.Values{"_pragma": {"query_only(ON)", "busy_timeout(5000)", "cache_size(-512)"}}
	read, err := sql.Open("sqlite", "file:"+path+"?"+pragmas.Encode())
	if err != nil {
		return db, errors.Join(err, write.Close())
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return database{write: write, read: read, lock: lock}, nil
}

const readers = 4

func file(dir, service string) string { return filepath.Join(dir, service+".db") }

func hasFile(dir, service string) bool {
	_, err := os.Stat(file(dir, service))
	return err == nil
}
