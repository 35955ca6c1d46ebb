// Package postgres connects to PostgreSQL for the stores and for the transport over tables, and explains why it cannot.
//
// It imports no other folder.
package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Target is a database and who asks for it.
type Target struct {
	Setting  string // the settings that describe it, as in store.postgres: {setting}.url and {setting}.password
	URL      string
	Password string // beside the URL, so that this can be logged
	Name     string // of the application, as pg_stat_activity shows it
	Schema   string // first of the search path
	Pool     int    // connections at most

	// LockTimeout is how long a statement waits for a lock, in PostgreSQL's words; what the URL says, or 10s, if empty.
	LockTimeout string
}

// AnswerTimeout is how long Open waits for a server that says nothing.
const AnswerTimeout = 6 * time.Second

const connectTimeout = 5 * time.Second // of each address

// silence is how long a server may leave what was sent to it unacknowledged: one that vanished, as in a failover, would
// otherwise be waited for as long as TCP sends again, about 15 minutes. It is longer than a wait for a lock, in which a server
// reads nothing more.
const silence = 15 * time.Second

// keepAlive finds a server that vanished while it owed an answer.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: silence / 3, Interval: silence / 3, Count: 3}

// Open connects. It says within AnswerTimeout what is wrong, and with which setting.
func Open(ctx context.Context, t Target) (*sql.DB, error) {
	config, err := pgx.ParseConfig(t.URL)
	if err != nil {
		return nil, fmt.Errorf("%s.url is no PostgreSQL URL; write one such as postgres://viscount@db:5432/viscount", t.Setting)
	}
	if t.Password != "" {
		config.Password = t.Password
	}
	config.ConnectTimeout = connectTimeout
	config.DialFunc = (&net.Dialer{KeepAliveConfig: keepAlive, Control: limitSilence}).DialContext
	params := config.RuntimeParams
	params["search_path"] = pgx.Identifier{t.Schema}.Sanitize()
	params["application_name"] = cmp.Or(params["application_name"], t.Name)
	params["lock_timeout"] = cmp.Or(t.LockTimeout, params["lock_timeout"], "10s")
	params["idle_in_transaction_session_timeout"] = cmp.Or(params["idle_in_transaction_session_timeout"], "60s")
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(t.Pool)
	db.SetMaxIdleConns(t.Pool)
	ctx, cancel := context.WithTimeout(ctx, AnswerTimeout)
	defer cancel()
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(explain(t.Setting, config, err), db.Close())
	}
	return db, nil
}

// explain names the setting that is to blame, and never the password.
func explain(setting string, config *pgx.ConnConfig, err error) error {
	at := net.JoinHostPort(config.Host, fmt.Sprint(config.Port))
	var server *pgconn.PgError
	if errors.As(err, &server) {
		switch server.Code {
		case "28P01", "28000":
			return fmt.Errorf("PostgreSQL at %s refuses user %q: check %s.password and the user in %s.url: %s", at, config.User, setting, setting, server.Message)
		case "3D000":
			return fmt.Errorf("PostgreSQL at %s: %s; create it, or name another in %s.url", at, server.Message, setting)
		}
		return fmt.Errorf("PostgreSQL at %s (%s.url): %s (%s)", at, setting, server.Message, server.Code)
	}
	cause := err
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		cause = connecting.Unwrap()
	}
	return fmt.Errorf("PostgreSQL does not answer at %s (%s.url): %w", at, setting, cause)
}
