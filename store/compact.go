package store

import (
	"context"
	"errors"
)

// compact leaves nothing of overwritten and deleted rows in the files of a SQLite database: the free space of its pages and
// the write-ahead log still hold them. It copies the database, and nothing is committed meanwhile. PostgreSQL's old row
// versions go with its own vacuum, and its log by its own retention.
func (s *Store) compact(ctx context.Context) error {
	if !s.dialect.sole {
		return nil
	}
	done := make(chan error, 1)
	select {
	case s.compacts <- done:
		return <-done
	case <-s.closing:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errBusy says that readers kept the write-ahead log from being emptied.
var errBusy = errors.New("the log could not be emptied while others read; try again")

func (c *committer) compact() error {
	if err := c.conn.connect(); err != nil {
		return c.store.failure("compact", err)
	}
	if _, err := c.conn.exec("VACUUM"); err != nil {
		c.conn.giveUp()
		return c.store.failure("compact", err)
	}
	busy := 0
	err := c.conn.each("PRAGMA wal_checkpoint(TRUNCATE)", func(rows Scanner) error {
		var log, checkpointed int
		return rows.Scan(&busy, &log, &checkpointed)
	})
	if err == nil && busy != 0 {
		err = errBusy
	}
	if err != nil {
		return c.store.failure("compact", err)
	}
	return nil
}
