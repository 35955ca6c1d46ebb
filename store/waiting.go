package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// WaitingEvent is an event that waits, or is tried again by itself.
type WaitingEvent struct {
	ID        int64
	EventID   uuid.UUID
	EventType string
	Key       string
	State     State  // Waiting or Retrying
	Code      string // why
	Detail    string // of the failure that is retried
	Awaits    string // the type of its predecessor
	HeldBy    int64  // the row that holds its key, 0 if none does
	HeldDead  bool   // that row is a dead letter
	Attempts  int
	Due       *time.Time // next attempt, or the limit of the wait
	ParkedAt  time.Time
}

// WaitingFilter chooses waiting events; the zero value means all.
type WaitingFilter struct {
	Type, Code, Key string
	State           State
}

// WaitingEvents reads what waits or retries, the longest first, after a place of that list (nil: from its start).
func WaitingEvents(ctx context.Context, r Reader, f WaitingFilter, after *Position, limit int) ([]WaitingEvent, error) {
	w := &where{conditions: []string{"p.state IN (3, 4)"}}
	w.equal("p.event_type", f.Type)
	w.equal("p.code", f.Code)
	w.equal("p.key", f.Key)
	if f.State != 0 {
		w.and("p.state = $%d", f.State)
	}
	if after != nil {
		at := micros(after.At)
		if after.ID.Job { // behind everything of that time: there are no jobs here
			w.and("p.parked_at > $%d", at)
		} else {
			w.and(fmt.Sprintf("(p.parked_at > $%%d OR p.parked_at = $%%d AND p.id > %d)", after.ID.N), at)
		}
	}
	return All(ctx, r, scanWaiting, `SELECT p.id, p.event_id, p.event_type, p.key, p.state, p.code, p.detail, p.awaits, p.attempts, p.due, p.parked_at, COALESCE(h.id, 0), COALESCE(h.state, 0)
		FROM (SELECT * FROM parked AS p`+w.String()+" ORDER BY p.parked_at, p.id LIMIT "+strconv.Itoa(limit)+`) AS p
		LEFT JOIN parked AS h ON h.id = (SELECT MIN(x.id) FROM parked AS x WHERE x.key = p.key AND x.held = 1 AND x.id <> p.id) ORDER BY p.parked_at, p.id`, w.args...)
}

func scanWaiting(s Scanner) (e WaitingEvent, err error) {
	var id []byte
	var due sql.NullInt64
	var parked int64
	var holder State
	err = s.Scan(&e.ID, &id, &e.EventType, &e.Key, &e.State, &e.Code, &e.Detail, &e.Awaits, &e.Attempts, &due, &parked, &e.HeldBy, &holder)
	if err != nil {
		return e, err
	}
	e.Due, e.ParkedAt, e.HeldDead = TimeOf(due), Time(parked), holder == Dead
	e.EventID, err = uuid.FromBytes(id)
	return e, err
}
