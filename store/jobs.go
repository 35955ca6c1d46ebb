package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
)

// Job is work that is done later or outside of a transaction: at least once, after the commit that enqueued it.
type Job struct {
	Kind    string    // which runner does it, as named in router.Do or router.Call
	Name    string    // unique per kind while it stands: the stable idempotency key
	Key     string    // ordering key of the entity that it is about
	Due     time.Time // not before; the zero time means at once
	Payload any       // encoded as JSON
}

// Enqueue stores a job with the transaction. A job of the same kind and name that still stands is left as it is.
func (t *Tx) Enqueue(ctx context.Context, j Job) error {
	payload, err := json.Marshal(j.Payload)
	if err != nil {
		return fmt.Errorf("enqueuing %s: %w", j.Kind, err)
	}
	due := j.Due
	if due.IsZero() {
		due = t.now
	}
	parent, state := traceOf(t.ctx)
	_, err = t.Exec(ctx, `INSERT INTO jobs (kind, name, key, due, state, correlation, causation, traceparent, tracestate, payload, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (kind, name) DO NOTHING`,
		j.Kind, j.Name, j.Key, micros(due), jobReady, t.origin.CorrelationID, t.origin.CausationID, parent, state, payload, micros(t.now))
	if err != nil {
		return fmt.Errorf("enqueuing %s: %w", j.Kind, err)
	}
	if t.jobsDue.IsZero() || due.Before(t.jobsDue) {
		t.jobsDue = due
	}
	return nil
}

// CancelJob removes a job that has not run. A job that runs at this moment drops its result.
func (t *Tx) CancelJob(ctx context.Context, kind, name string) error {
	if _, err := t.Exec(ctx, "DELETE FROM jobs WHERE kind = $1 AND name = $2", kind, name); err != nil {
		return fmt.Errorf("cancelling %s: %w", kind, err)
	}
	return nil
}

// States of a job row. Those that are done are gone.
const (
	jobReady = 1
	jobDead  = 5
)

// JobRow is a job as a runner takes it.
type JobRow struct {
	ID          int64
	Kind        string
	Name        string
	Key         string
	Due         time.Time
	Attempts    int
	Origin      Origin
	TraceParent string
	TraceState  string
	Payload     []byte
	Left        bool // whoever ran it last never said how it ended
	lease       []byte
}

// Lease takes up to limit jobs that are due, for the given time: until then nobody else runs them, and their due time is the
// lease's end, so that the job of a runner that died comes due again.
func (s *Store) Lease(ctx context.Context, limit int, hold time.Duration) (jobs []JobRow, err error) {
	err = s.Do(ctx, func(ctx context.Context, tx *Tx) (err error) {
		jobs, err = All(ctx, tx, scanJob, "SELECT "+jobColumns+" FROM jobs WHERE state = $1 AND due <= $2 ORDER BY due, id LIMIT $3"+s.dialect.skipLocked, jobReady, micros(tx.now), limit)
		if err != nil {
			return err
		}
		token := tx.store.newUUID()
		for i := range jobs {
			jobs[i].lease = idBytes(token)
			if _, err := tx.Exec(ctx, "UPDATE jobs SET due = $1, lease = $2 WHERE id = $3", micros(tx.now.Add(hold)), jobs[i].lease, jobs[i].ID); err != nil {
				return err
			}
		}
		return nil
	})
	return jobs, err
}

// Renew lets a job's lease begin anew that was taken some time ago; ErrLeaseLost if it has run out and another has the job.
func (s *Store) Renew(ctx context.Context, j JobRow, hold time.Duration) error {
	return s.Do(ctx, func(ctx context.Context, tx *Tx) error {
		return tx.leased(ctx, "UPDATE jobs SET due = $3 WHERE id = $1 AND lease = $2", j.ID, j.lease, micros(tx.now.Add(hold)))
	})
}

// freeLeases makes the jobs due that a process ran when it died. Only the sole owner of a database may say so.
func (s *Store) freeLeases(ctx context.Context) error {
	return s.Do(ctx, func(ctx context.Context, tx *Tx) error {
		_, err := tx.Exec(ctx, "UPDATE jobs SET due = $1 WHERE lease IS NOT NULL AND state = $2", micros(tx.now), jobReady) // the lease tells that it was left
		return err
	})
}

const jobColumns = "id, kind, name, key, due, attempts, correlation, causation, traceparent, tracestate, payload, lease IS NOT NULL"

func scanJob(s Scanner) (j JobRow, err error) {
	var due int64
	err = s.Scan(&j.ID, &j.Kind, &j.Name, &j.Key, &due, &j.Attempts, &j.Origin.CorrelationID, &j.Origin.CausationID, &j.TraceParent, &j.TraceState, &j.Payload, &j.Left)
	j.Due = Time(due)
	return j, err
}

// FinishJob removes a job whose lease still stands, together with its result; otherwise ErrLeaseLost.
func (t *Tx) FinishJob(ctx context.Context, j JobRow) error {
	return t.leased(ctx, "DELETE FROM jobs WHERE id = $1 AND lease = $2", j.ID, j.lease)
}

// RetryJob plans the next attempt of a job that failed.
func (t *Tx) RetryJob(ctx context.Context, j JobRow, due time.Time, code, detail string) error {
	err := t.leased(ctx, "UPDATE jobs SET due = $3, lease = NULL, attempts = $4, code = $5, detail = $6, failed_first = COALESCE(failed_first, $7), failed_last = $7 WHERE id = $1 AND lease = $2",
		j.ID, j.lease, micros(due), j.Attempts, code, detail, micros(t.now))
	if err == nil && (t.jobsDue.IsZero() || due.Before(t.jobsDue)) {
		t.jobsDue = due
	}
	return err
}

// BuryJob makes a job whose retries are spent a dead letter.
func (t *Tx) BuryJob(ctx context.Context, j JobRow, code, detail, fingerprint string) error {
	return t.leased(ctx, `UPDATE jobs SET state = $3, lease = NULL, attempts = $4, code = $5, detail = $6, fingerprint = $7, failed_first = COALESCE(failed_first, $8), failed_last = $8
		WHERE id = $1 AND lease = $2`, j.ID, j.lease, jobDead, j.Attempts, code, detail, fingerprint, micros(t.now))
}

func (t *Tx) leased(ctx context.Context, query string, args ...any) error {
	n, err := t.Exec(ctx, query, args...)
	if err == nil && n == 0 {
		err = ErrLeaseLost
	}
	return err
}

// jobClock tells the runner when to look: at the earliest due time that a commit of this process brought.
type jobClock struct {
	mu   sync.Mutex
	next time.Time
	wake chan struct{}
}

func (s *Store) jobsDue(at time.Time) {
	c := &s.jobs
	c.mu.Lock()
	earlier := c.next.IsZero() || at.Before(c.next)
	if earlier {
		c.next = at
	}
	c.mu.Unlock()
	if earlier {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// JobsWake receives when a commit has brought a job that is due earlier than NextJob said.
func (s *Store) JobsWake() <-chan struct{} { return s.jobs.wake }

// NextJob reads when the next job is due; found is false when none is there.
func (s *Store) NextJob(ctx context.Context) (at time.Time, found bool, err error) {
	s.jobs.mu.Lock()
	s.jobs.next = time.Time{}
	s.jobs.mu.Unlock()
	err = s.View(ctx, func(ctx context.Context, r Reader) error {
		us, ok, err := One(ctx, r, scanInt, "SELECT due FROM jobs WHERE state = $1 ORDER BY due LIMIT 1", jobReady)
		at, found = Time(us), ok
		return err
	})
	if err == nil && found {
		s.jobs.mu.Lock()
		if s.jobs.next.IsZero() || at.Before(s.jobs.next) {
			s.jobs.next = at
		}
		s.jobs.mu.Unlock()
	}
	return at, found, err
}
