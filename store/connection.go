package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// connection is a writing connection with its prepared statements. Every distinct statement text is prepared once, so
// queries must not carry values in their text. A connection that fails is given up; the next transaction makes a new one.
type connection struct {
	db      *sql.DB
	dialect *dialect
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	waiting []statement // see ahead

	connected func(ctx context.Context, conn *sql.Conn) error // what a new connection does first; nil: nothing
}

func newConnection(db *sql.DB, d *dialect) *connection { return &connection{db: db, dialect: d} }

func (c *connection) connect() error {
	if c.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*connectTimeout)
	defer cancel()
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	if c.connected != nil {
		if err := c.connected(ctx, conn); err != nil {
			return errors.Join(err, conn.Close())
		}
	}
	c.conn, c.stmts, c.waiting = conn, map[string]*sql.Stmt{}, nil
	return nil
}

func (c *connection) prepared(query string) (*sql.Stmt, error) {
	if err := c.flush(); err != nil {
		return nil, err
	}
	if stmt, ok := c.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := c.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, fmt.Errorf("preparing %q: %w", query, err)
	}
	c.stmts[query] = stmt
	return stmt, nil
}

func (c *connection) exec(query string, args ...any) (int64, error) {
	if !c.dialect.sole {
		return c.execAfter(query, args)
	}
	stmt, err := c.prepared(query)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// queryInt reads one integer.
func (c *connection) queryInt(query string, args ...any) (n int64, err error) {
	stmt, err := c.prepared(query)
	if err != nil {
		return 0, err
	}
	err = stmt.QueryRowContext(context.Background(), args...).Scan(&n)
	return n, err
}

// each runs a query and hands every row to scan.
func (c *connection) each(query string, scan func(Scanner) error, args ...any) (err error) {
	if !c.dialect.sole {
		return c.eachAfter(query, scan, args)
	}
	stmt, err := c.prepared(query)
	if err != nil {
		return err
	}
	rows, err := stmt.QueryContext(context.Background(), args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (c *connection) begin() error {
	if err := c.connect(); err != nil {
		return err
	}
	_, err := c.exec(c.dialect.begin)
	if err == nil {
		return nil
	}
	c.giveUp() // it may have been lost while it was idle: once more, on a new one
	if err := c.connect(); err != nil {
		return err
	}
	_, err = c.exec(c.dialect.begin)
	return err
}

func (c *connection) commit() error {
	_, err := c.exec("COMMIT")
	return err
}

// rollback leaves the connection ready for the next group, or gives it up.
func (c *connection) rollback() {
	if c.conn == nil {
		return
	}
	c.waiting = nil
	if _, err := c.exec("ROLLBACK"); err != nil {
		c.giveUp()
	}
}

// giveUp closes the connection itself, whatever state it is in.
func (c *connection) giveUp() {
	if c.conn == nil {
		return
	}
	for _, stmt := range c.stmts {
		_ = stmt.Close() // while there is a connection to close them on: SQLite's driver panics afterwards
	}
	c.stmts = nil
	_ = c.conn.Raw(func(any) error { return driver.ErrBadConn }) // tells the pool to drop it
	_ = c.close()
}

func (c *connection) close() error {
	if c.conn == nil {
		return nil
	}
	var errs []error
	for _, stmt := range c.stmts {
		errs = append(errs, stmt.Close())
	}
	errs = append(errs, c.conn.Close())
	c.conn, c.stmts = nil, nil
	return errors.Join(errs...)
}
