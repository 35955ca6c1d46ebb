package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A process leaves a row in runs while it works on a database. One that is found with its process gone tells of a crash: on
// SQLite by whoever opens the file next, on PostgreSQL by a lock that lives as long as the process's connection.

// crashKept is how long a crash is remembered: instances that start meanwhile are careful, too.
const (
	crashKept     = time.Hour
	crashesRecent = 10 * time.Minute
)

// Unclean is when a process of this service was last found to have ended without an orderly stop: the zero time if none
// was in the last hour. What was published before then may have been in its hands.
func (s *Store) Unclean() time.Time {
	if us := s.unclean.Load(); us != 0 {
		return Time(us)
	}
	return time.Time{}
}

// Crashes is how many processes of this service were found dead in the last ten minutes.
func (s *Store) Crashes() int { return int(s.crashes.Load()) }

// Hurry makes commits happen without waiting for company, until done is called: for work that runs alone.
func (s *Store) Hurry() (done func()) {
	s.hurrying.Add(1)
	return func() { s.hurrying.Add(-1) }
}

func (s *Store) beginRun(ctx context.Context) error {
	if !s.dialect.sole {
		return s.findCrashes(ctx) // markRun has entered the run, or will
	}
	err := s.Do(ctx, func(ctx context.Context, tx *Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE runs SET crashed_at = $1 WHERE crashed_at IS NULL", micros(tx.now)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "INSERT INTO runs (id, began_at) VALUES ($1, $2)", s.run, micros(tx.now))
		return err
	})
	return errors.Join(err, s.readCrashes(ctx))
}

// endRun says that this process stopped in order. Nothing commits any more. If it cannot be said, the next process is careful
// for nothing.
func (s *Store) endRun() {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	_, err := s.db.write.ExecContext(ctx, "DELETE FROM runs WHERE id = $1 OR crashed_at < $2", s.run, micros(s.now().Add(-crashKept)))
	if err != nil {
		_ = s.failure("stop", err) // it logs
	}
}

func (s *Store) runLock(run string) int64 { return lockNumber(s.name, "run/"+run) }

// markRun is the first thing that a committer's connection to a shared database does: while the connection lives, so does
// the lock, and nobody takes this process for dead.
func (s *Store) markRun(ctx context.Context, conn *sql.Conn) error {
	s.session.Add(1)
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock_shared($1)", s.runLock(s.run)); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, "INSERT INTO runs (id, began_at) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET crashed_at = NULL", s.run, micros(s.now()))
	return err
}

// findCrashes marks the runs of a shared database whose process is gone.
func (s *Store) findCrashes(ctx context.Context) error {
	var runs []string
	err := s.View(ctx, func(ctx context.Context, r Reader) (err error) {
		runs, err = All(ctx, r, scanString, "SELECT id FROM runs WHERE crashed_at IS NULL AND id <> $1", s.run)
		return err
	})
	for i := 0; i < len(runs) && err == nil; i++ {
		err = s.Do(ctx, func(ctx context.Context, tx *Tx) error {
			gone, err := exists(ctx, tx, "SELECT 1 WHERE pg_try_advisory_xact_lock($1)", s.runLock(runs[i]))
			if err != nil || !gone {
				return err
			}
			_, err = tx.Exec(ctx, "UPDATE runs SET crashed_at = $1 WHERE id = $2 AND crashed_at IS NULL", micros(tx.now), runs[i])
			return err
		})
	}
	return errors.Join(err, s.readCrashes(ctx))
}

func (s *Store) readCrashes(ctx context.Context) error {
	return s.View(ctx, func(ctx context.Context, r Reader) error {
		at, _, err := One(ctx, r, scanInt, "SELECT COALESCE(MAX(crashed_at), 0) FROM runs WHERE crashed_at > $1", micros(s.now().Add(-crashKept)))
		if err != nil {
			return fmt.Errorf("reading how earlier processes ended: %w", err)
		}
		n, _, err := One(ctx, r, scanInt, "SELECT COUNT(*) FROM runs WHERE crashed_at > $1", micros(s.now().Add(-crashesRecent)))
		if err != nil {
			return fmt.Errorf("reading how earlier processes ended: %w", err)
		}
		s.crashes.Store(n)
		s.unclean.Store(at)
		return nil
	})
}

// Suspect stores that a subject (an event, a job) is about to run alone, and tells how many processes in a row ended in the
// middle of it.
func (s *Store) Suspect(ctx context.Context, subject string) (crashes int, err error) {
	err = s.Do(ctx, func(ctx context.Context, tx *Tx) error {
		return tx.QueryRow(ctx, `INSERT INTO suspects (subject, crashes, run, at) VALUES ($1, 0, $2, $3)
			ON CONFLICT (subject) DO UPDATE SET crashes = suspects.crashes + CASE WHEN suspects.run <> excluded.run THEN 1 ELSE 0 END, run = excluded.run, at = excluded.at
			RETURNING crashes`, subject, s.run, micros(tx.now)).Scan(&crashes)
	})
	if err != nil {
		return 0, fmt.Errorf("storing that %s runs alone: %w", subject, err)
	}
	return crashes, nil
}

// Acquit forgets a subject that has run to an end, whatever the end.
func (t *Tx) Acquit(ctx context.Context, subject string) error {
	_, err := t.Exec(ctx, "DELETE FROM suspects WHERE subject = $1", subject)
	t.writes--
	if err != nil {
		return fmt.Errorf("acquitting %s: %w", subject, err)
	}
	return nil
}
