package store

import (
	"context"
	"database/sql"
	"fmt"
)

// connection is the writing connection with its prepared statements. Every distinct statement text is prepared once, so
// queries must not carry values in their text.
type connection struct {
	conn  *sql.Conn
	begun string // the statement that begins a writing transaction
	stmts map[string]*sql.Stmt
}

func newConnection(ctx context.Context, db *sql.DB, begin string) (*connection, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, begun: begin, stmts: map[string]*sql.Stmt{}}, nil
}

func (c *connection) prepared(query string) (*sql.Stmt, error) {
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

// queryInts reads one row of integers.
func (c *connection) queryInt(query string, args ...any) (n int64, err error) {
	stmt, err := c.prepared(query)
	if err != nil {
		return 0, err
	}
	err = stmt.QueryRowContext(context.Background(), args...).Scan(&n)
	return n, err
}

func (c *connection) begin() error {
	_, err := c.exec(c.begun)
	return err
}

func (c *connection) commit() error {
	_, err := c.exec("COMMIT")
	return err
}

// rollback leaves the connection ready for the next group; an error here means that nothing was open.
func (c *connection) rollback() {
	if _, err := c.exec("ROLLBACK"); err != nil {
		return
	}
}

func (c *connection) close() error {
	var first error
	for _, stmt := range c.stmts {
		if err := stmt.Close(); err != nil && first == nil {
			first = err
		}
	}
	if err := c.conn.Close(); err != nil && first == nil {
		first = err
	}
	return first
}
