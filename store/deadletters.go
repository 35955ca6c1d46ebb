package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// LetterID names a dead letter within its service: 42 is an event, j42 a job whose retries are spent.
type LetterID struct {
	Job bool
	N   int64
}

func (id LetterID) String() string {
	if id.Job {
		return "j" + strconv.FormatInt(id.N, 10)
	}
	return strconv.FormatInt(id.N, 10)
}

// ParseLetterID reads what String wrote.
func ParseLetterID(text string) (id LetterID, err error) {
	number, job := strings.CutPrefix(text, "j")
	id.Job = job
	if id.N, err = strconv.ParseInt(number, 10, 64); err != nil || id.N < 0 {
		return id, fmt.Errorf("%q is no dead letter: write 42 for an event, j42 for a job", text)
	}
	return id, nil
}

// Less orders events before jobs, each as they came.
func (id LetterID) Less(other LetterID) bool {
	return !id.Job && other.Job || id.Job == other.Job && id.N < other.N
}

// DeadLetter is a dead letter as lists show it.
type DeadLetter struct {
	ID          LetterID
	EventID     uuid.UUID // the zero UUID of a job, or of a message that had none
	Type        string    // of the event, or the job's kind
	Name        string    // of a job
	Key         string
	Code        string
	Detail      string
	Fingerprint string
	Refused     bool // turned away before the handler
	Held        bool // later events of the key wait behind it
	Attempts    int
	FailedFirst time.Time
	FailedLast  time.Time
	HeldBehind  int64 // events that wait behind it
}

// LetterFilter chooses dead letters; the zero value means all.
type LetterFilter struct {
	IDs                          []LetterID
	Type, Code, Fingerprint, Key string
	Since                        time.Time // failed last at this time or later
}

// letters are the dead letters of both kinds. Numbers of states are literals, so that the partial indexes serve.
const letters = `(SELECT id, 0 AS job, event_id, event_type AS type, '' AS name, key, code, detail, fingerprint, refused, held, attempts, COALESCE(failed_first, parked_at) AS failed_first, COALESCE(failed_last, changed_at) AS failed_last
	FROM parked WHERE state = 5
	UNION ALL SELECT id, 1, NULL, kind, name, key, code, detail, fingerprint, 0, 0, attempts, COALESCE(failed_first, created_at), COALESCE(failed_last, created_at)
	FROM jobs WHERE state = 5) AS l`

// where collects conditions and their arguments.
type where struct {
	conditions []string
	args       []any
}

// and adds a condition, in which %d stands for the place of the argument.
func (w *where) and(condition string, arg any) {
	w.conditions = append(w.conditions, strings.ReplaceAll(condition, "%d", strconv.Itoa(len(w.args)+1)))
	w.args = append(w.args, arg)
}

func (w *where) equal(column, value string) {
	if value != "" {
		w.and(column+" = $%d", value)
	}
}

func (w *where) String() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

func (f LetterFilter) where() *where {
	w := &where{}
	w.equal("type", f.Type)
	w.equal("code", f.Code)
	w.equal("fingerprint", f.Fingerprint)
	w.equal("key", f.Key)
	if !f.Since.IsZero() {
		w.and("failed_last >= $%d", micros(f.Since))
	}
	if len(f.IDs) > 0 {
		var named []string
		for _, id := range f.IDs {
			named = append(named, fmt.Sprintf("(job = %d AND id = %d)", Bit(id.Job), id.N))
		}
		w.conditions = append(w.conditions, "("+strings.Join(named, " OR ")+")")
	}
	return w
}

// Position is a place in a list that is ordered by time, then kind and id.
type Position struct {
	At time.Time
	ID LetterID
}

var (
	afterAll  = LetterID{Job: true, N: math.MaxInt64}
	beforeAll = LetterID{}
)

// AfterAll is the place behind everything of a time.
func AfterAll(at time.Time) Position { return Position{at, afterAll} }

// BeforeAll is the place before everything of a time.
func BeforeAll(at time.Time) Position { return Position{at, beforeAll} }

// LatestLetters reads dead letters, those that failed last first, after a place of that list (nil: from its start).
func LatestLetters(ctx context.Context, r Reader, f LetterFilter, after *Position, limit int) ([]DeadLetter, error) {
	w := f.where()
	if after != nil {
		w.and("failed_last <= $%d", micros(after.At))
		w.and(fmt.Sprintf("(failed_last < $%%d OR job > %d OR job = %d AND id > %d)", Bit(after.ID.Job), Bit(after.ID.Job), after.ID.N), micros(after.At))
	}
	return readLetters(ctx, r, w, "failed_last DESC, job, id", limit)
}

// NextLetters reads dead letters in the order in which they came, after one of them.
func NextLetters(ctx context.Context, r Reader, f LetterFilter, after LetterID, limit int) ([]DeadLetter, error) {
	w := f.where()
	w.and(fmt.Sprintf("(job > %d OR job = %d AND id > $%%d)", Bit(after.Job), Bit(after.Job)), after.N)
	return readLetters(ctx, r, w, "job, id", limit)
}

// readLetters counts what is held behind each letter of the page only.
func readLetters(ctx context.Context, r Reader, w *where, order string, limit int) ([]DeadLetter, error) {
	query := `SELECT l.*, CASE WHEN l.held = 0 THEN 0 ELSE (SELECT COUNT(*) FROM parked AS b WHERE b.key = l.key AND b.state = 3 AND b.refused = 0) END
		FROM (SELECT * FROM ` + letters + w.String() + " ORDER BY " + order + " LIMIT " + strconv.Itoa(limit) + ") AS l ORDER BY " + order
	return All(ctx, r, scanLetter, query, w.args...)
}

func scanLetter(s Scanner) (l DeadLetter, err error) {
	var id []byte
	var first, last int64
	err = s.Scan(&l.ID.N, &l.ID.Job, &id, &l.Type, &l.Name, &l.Key, &l.Code, &l.Detail, &l.Fingerprint, &l.Refused, &l.Held, &l.Attempts, &first, &last, &l.HeldBehind)
	if err != nil {
		return l, err
	}
	l.FailedFirst, l.FailedLast = Time(first), Time(last)
	if id != nil {
		l.EventID, err = uuid.FromBytes(id)
	}
	return l, err
}

// LetterGroup is the dead letters of one cause.
type LetterGroup struct {
	Fingerprint, Type, Code, Detail string // the detail is the latest one's
	Count                           int64
	Keys                            int64
	HeldBehind                      int64 // events that wait behind them, each once
	FailedFirst, FailedLast         time.Time
}

// LetterGroups groups dead letters by cause, the largest first.
func LetterGroups(ctx context.Context, r Reader, f LetterFilter, limit int) ([]LetterGroup, error) {
	w := f.where()
	groups, err := All(ctx, r, func(s Scanner) (g LetterGroup, err error) {
		var first, last int64
		err = s.Scan(&g.Fingerprint, &g.Type, &g.Code, &g.Detail, &g.Count, &g.Keys, &first, &last)
		g.FailedFirst, g.FailedLast = Time(first), Time(last)
		return g, err
	}, `SELECT g.fingerprint, g.type, g.code, (SELECT l.detail FROM `+letters+` WHERE l.fingerprint = g.fingerprint AND l.type = g.type AND l.code = g.code ORDER BY l.failed_last DESC, l.id DESC LIMIT 1),
		g.n, g.keys, g.failed_first, g.failed_last
		FROM (SELECT fingerprint, type, code, COUNT(*) AS n, COUNT(DISTINCT key) AS keys, MIN(failed_first) AS failed_first, MAX(failed_last) AS failed_last
			FROM `+letters+w.String()+` GROUP BY fingerprint, type, code ORDER BY n DESC, fingerprint LIMIT `+strconv.Itoa(limit)+`) AS g ORDER BY g.n DESC, g.fingerprint`, w.args...)
	if err != nil {
		return nil, err
	}
	w.conditions = append(w.conditions, "l.held = 1")
	held := map[[3]string]int64{}
	_, err = All(ctx, r, func(s Scanner) (struct{}, error) {
		var cause [3]string
		var n int64
		err := s.Scan(&cause[0], &cause[1], &cause[2], &n)
		held[cause] = n
		return struct{}{}, err
	}, `SELECT k.fingerprint, k.type, k.code, COUNT(*) FROM (SELECT DISTINCT l.fingerprint, l.type, l.code, l.key FROM `+letters+w.String()+`) AS k
		JOIN parked AS b ON b.key = k.key AND b.state = 3 AND b.refused = 0 GROUP BY k.fingerprint, k.type, k.code`, w.args...)
	for i, g := range groups {
		groups[i].HeldBehind = held[[3]string{g.Fingerprint, g.Type, g.Code}]
	}
	return groups, err
}

// ErrNoLetter says that a dead letter is not there, or none any more.
var ErrNoLetter = errors.New("store: no such dead letter, or it is none any more")

// Letter reads one dead letter.
func Letter(ctx context.Context, r Reader, id LetterID) (DeadLetter, error) {
	found, err := LatestLetters(ctx, r, LetterFilter{IDs: []LetterID{id}}, nil, 1)
	if err == nil && len(found) == 0 {
		err = ErrNoLetter
	}
	if err != nil {
		return DeadLetter{}, err
	}
	return found[0], nil
}

// DeadEvent reads the parked row of a dead letter.
func DeadEvent(ctx context.Context, r Reader, n int64) (Parked, error) {
	p, found, err := ParkedRow(ctx, r, n)
	if err == nil && (!found || p.State != Dead) {
		err = ErrNoLetter
	}
	return p, err
}

// DeadJob reads a job whose retries are spent.
func DeadJob(ctx context.Context, r Reader, n int64) (JobRow, error) {
	job, found, err := One(ctx, r, scanJob, "SELECT "+jobColumns+" FROM jobs WHERE id = $1 AND state = 5", n)
	if err == nil && !found {
		err = ErrNoLetter
	}
	return job, err
}

// JobPlanned tells whether a job stands and will run by itself.
func JobPlanned(ctx context.Context, r Reader, n int64) (bool, error) {
	return exists(ctx, r, "SELECT 1 FROM jobs WHERE id = $1 AND state = $2", n, jobReady)
}

// ReviveJob takes a job whose retries are spent for one more attempt, under a lease.
func (t *Tx) ReviveJob(ctx context.Context, n int64, hold time.Duration) (JobRow, error) {
	job, err := DeadJob(ctx, t, n)
	if err != nil {
		return job, err
	}
	job.lease = idBytes(t.store.newUUID())
	changed, err := t.Exec(ctx, "UPDATE jobs SET state = $1, due = $2, lease = $3 WHERE id = $4 AND state = 5", jobReady, micros(t.now.Add(hold)), job.lease, n)
	if err == nil && changed == 0 {
		err = ErrNoLetter
	}
	return job, err
}

// DiscardJob removes a job whose retries are spent.
func (t *Tx) DiscardJob(ctx context.Context, n int64) error {
	changed, err := t.Exec(ctx, "DELETE FROM jobs WHERE id = $1 AND state = 5", n)
	if err == nil && changed == 0 {
		err = ErrNoLetter
	}
	return err
}

// ReleaseKey lets the events of a key pass its dead letters, which stay; it answers those that had held it.
func (t *Tx) ReleaseKey(ctx context.Context, key string) ([]LetterID, error) {
	return All(ctx, t, func(s Scanner) (id LetterID, err error) { return id, s.Scan(&id.N) },
		"UPDATE parked SET held = 0 WHERE key = $1 AND held = 1 AND state = 5 RETURNING id", key)
}
