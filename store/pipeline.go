package store

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// statement is one that waits to be sent.
type statement struct {
	query string
	args  []any
}

// ahead runs a statement whose result nobody reads. Where each costs a round trip (PostgreSQL) it waits, and travels in front
// of the next one, which has its error then.
func (c *connection) ahead(query string, args ...any) error {
	if c.dialect.sole {
		_, err := c.exec(query, args...)
		return err
	}
	c.waiting = append(c.waiting, statement{query, args})
	return nil
}

// flush sends what waits.
func (c *connection) flush() error {
	if len(c.waiting) == 0 {
		return nil
	}
	return c.send(nil, func(pgx.BatchResults) error { return nil })
}

// send runs what waits, and then last, in one round trip; read takes the result of last.
func (c *connection) send(last *statement, read func(pgx.BatchResults) error) error {
	waiting := c.waiting
	c.waiting = nil
	batch := &pgx.Batch{}
	for _, s := range waiting {
		batch.Queue(s.query, s.args...)
	}
	if last != nil {
		batch.Queue(last.query, last.args...)
	}
	return c.conn.Raw(func(raw any) (err error) {
		conn, ok := raw.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("store: %T is no connection to PostgreSQL", raw)
		}
		if conn.Conn().IsClosed() {
			return driver.ErrBadConn
		}
		results := conn.Conn().SendBatch(context.Background(), batch)
		defer func() {
			if e := results.Close(); err == nil {
				err = e
			}
		}()
		for range waiting {
			if _, err := results.Exec(); err != nil {
				return err
			}
		}
		return read(results)
	})
}

func (c *connection) execAfter(query string, args []any) (n int64, err error) {
	err = c.send(&statement{query, args}, func(results pgx.BatchResults) error {
		tag, err := results.Exec()
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

func (c *connection) eachAfter(query string, scan func(Scanner) error, args []any) error {
	return c.send(&statement{query, args}, func(results pgx.BatchResults) error {
		rows, err := results.Query()
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
