package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Status is what a service's database says about its events.
type Status struct {
	OutboxPending int64
	OutboxOldest  time.Duration // age of the oldest event that the transport has not taken
	OutboxRefused int64         // events of other languages that break their contracts and stay in outbox_external
	Waiting       int64
	Retrying      int64
	Dead          int64 // dead letters and buried jobs
	Refused       int64 // of the dead: turned away before the handler
	HeldKeys      int64
	Jobs          int64
	Pending       map[string]Backlog // what the outbox holds, by topic
	Counters      map[string]int64   // applied, ignored, duplicate, invalid: since the database was made
}

// Backlog is what a topic still owes its consumers.
type Backlog struct {
	Events int64
	Oldest time.Duration
}

// Status reads how the service stands.
func (s *Store) Status(ctx context.Context) (st Status, err error) {
	st.Counters, st.Pending = map[string]int64{}, map[string]Backlog{}
	now := s.now()
	err = s.View(ctx, func(ctx context.Context, r Reader) error {
		if err := st.readPending(ctx, r, s.dialect.backlog, now); err != nil {
			return err
		}
		if err := st.readParked(ctx, r); err != nil {
			return err
		}
		var buried int64
		if err := r.QueryRow(ctx, "SELECT COUNT(*), COALESCE(SUM(CASE WHEN state = $1 THEN 1 ELSE 0 END), 0) FROM jobs", jobDead).Scan(&st.Jobs, &buried); err != nil {
			return err
		}
		st.Dead += buried
		_, err := All(ctx, r, func(row Scanner) (struct{}, error) {
			var name string
			var value int64
			err := row.Scan(&name, &value)
			st.Counters[name] = value
			return struct{}{}, err
		}, "SELECT name, value FROM counters")
		return err
	})
	return st, err
}

func (st *Status) readPending(ctx context.Context, r Reader, backlog string, now time.Time) error {
	_, err := All(ctx, r, func(row Scanner) (struct{}, error) {
		var topic string
		var n, oldest int64
		err := row.Scan(&topic, &n, &oldest)
		age := max(now.Sub(Time(oldest)), 0)
		st.Pending[topic] = Backlog{Events: n, Oldest: age}
		st.OutboxPending += n
		st.OutboxOldest = max(st.OutboxOldest, age)
		return struct{}{}, err
	}, backlog)
	if err != nil {
		return err
	}
	var external int64
	err = r.QueryRow(ctx, "SELECT COUNT(*), COUNT(code) FROM outbox_external").Scan(&external, &st.OutboxRefused)
	st.OutboxPending += external - st.OutboxRefused // not taken over yet
	return err
}

func (st *Status) readParked(ctx context.Context, r Reader) error {
	_, err := All(ctx, r, func(row Scanner) (struct{}, error) {
		var state State
		var n, refused int64
		err := row.Scan(&state, &n, &refused)
		switch state {
		case Waiting:
			st.Waiting = n
		case Retrying:
			st.Retrying = n
		case Dead:
			st.Dead, st.Refused = n, refused
		}
		return struct{}{}, err
	}, "SELECT state, COUNT(*), SUM(refused) FROM parked GROUP BY state")
	if err != nil {
		return err
	}
	return r.QueryRow(ctx, "SELECT COUNT(DISTINCT key) FROM parked WHERE held = 1").Scan(&st.HeldKeys)
}

// Delivery is how one event stands for this consumer.
type Delivery struct {
	EventID  uuid.UUID
	State    State
	At       time.Time
	Reason   string
	Attempts int
	Foreign  *Foreign // the event's facts when no outbox holds it
}

const deliveryColumns = "event_id, state, at, attempts, COALESCE(reason, ''), COALESCE(event_type, ''), COALESCE(key, ''), COALESCE(correlation, ''), COALESCE(causation, ''), COALESCE(source, ''), COALESCE(occurred_at, 0)"

func scanDelivery(s Scanner) (d Delivery, err error) {
	var id []byte
	var at, occurred int64
	var f Foreign
	err = s.Scan(&id, &d.State, &at, &d.Attempts, &d.Reason, &f.EventType, &f.Key, &f.CorrelationID, &f.CausationID, &f.Source, &occurred)
	if err != nil {
		return d, err
	}
	d.At = Time(at)
	if f.EventType != "" {
		f.OccurredAt = Time(occurred)
		d.Foreign = &f
	}
	d.EventID, err = uuid.FromBytes(id)
	return d, err
}

// Deliveries reads how the given events stand for this consumer; those it never saw are missing.
func Deliveries(ctx context.Context, r Reader, ids []uuid.UUID) (map[uuid.UUID]Delivery, error) {
	found := make(map[uuid.UUID]Delivery, len(ids))
	if r.Kind() == PostgreSQL { // where each statement is a round trip
		wanted := make([][]byte, len(ids))
		for i := range ids {
			wanted[i] = idBytes(ids[i])
		}
		all, err := All(ctx, r, scanDelivery, "SELECT "+deliveryColumns+" FROM inbox WHERE event_id = ANY($1)", wanted)
		for i := range all {
			found[all[i].EventID] = all[i]
		}
		return found, err
	}
	for _, id := range ids {
		d, ok, err := One(ctx, r, scanDelivery, "SELECT "+deliveryColumns+" FROM inbox WHERE event_id = $1", idBytes(id))
		if err != nil {
			return nil, err
		}
		if ok {
			found[id] = d
		}
	}
	return found, nil
}

// ForeignDeliveries reads the foreign events of a correlation or key that reached this consumer.
func ForeignDeliveries(ctx context.Context, r Reader, correlation, key string) ([]Delivery, error) {
	return All(ctx, r, scanDelivery, "SELECT "+deliveryColumns+" FROM inbox WHERE correlation = $1 OR key = $2 ORDER BY pos LIMIT $3", correlation, key, traceLimit)
}

// traceLimit bounds how many events one trace shows.
const traceLimit = 10_000

// Published reads the events of this service's outbox with a correlation or, if that is "", a key.
func Published(ctx context.Context, r Reader, correlation, key string) ([]Row, error) {
	if correlation != "" {
		return All(ctx, r, scanRow, "SELECT "+rowColumns+" FROM outbox WHERE correlation = $1"+notNotice+" ORDER BY id LIMIT $2", correlation, traceLimit)
	}
	return All(ctx, r, scanRow, "SELECT "+rowColumns+" FROM outbox WHERE key = $1 ORDER BY id LIMIT $2", key, traceLimit)
}

// PublishedEvent reads one event of this service's outbox.
func PublishedEvent(ctx context.Context, r Reader, id uuid.UUID) (Row, bool, error) {
	return One(ctx, r, scanRow, "SELECT "+rowColumns+" FROM outbox WHERE event_id = $1", idBytes(id))
}

// Recorded reads committed events of this service's outbox after a row id, in commit order (of some topics only, if any are
// given): the recorded events of transports that keep none themselves, and the event stream.
func Recorded(ctx context.Context, r Reader, after int64, limit int, topics ...string) ([]Row, error) {
	if len(topics) == 0 {
		return All(ctx, r, scanRow, "SELECT "+rowColumns+" FROM outbox WHERE id > $1"+notNotice+" ORDER BY id LIMIT $2", after, limit)
	}
	var all []Row
	for _, topic := range topics {
		rows, err := All(ctx, r, scanRow, "SELECT "+rowColumns+" FROM outbox WHERE topic = $3 AND id > $1 ORDER BY id LIMIT $2", after, limit, topic)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	slices.SortFunc(all, func(a, b Row) int { return cmp.Compare(a.ID, b.ID) })
	return all[:min(limit, len(all))], nil
}

// LastRow is the newest row id of the outbox, 0 when it is empty.
func LastRow(ctx context.Context, r Reader) (int64, error) {
	id, _, err := One(ctx, r, scanInt, "SELECT id FROM outbox ORDER BY id DESC LIMIT 1")
	return id, err
}

// OnPublished calls f after each commit that brought events, until the returned function is called. f must not block.
func (s *Store) OnPublished(f func()) (stop func()) {
	s.listenMu.Lock()
	defer s.listenMu.Unlock()
	s.listenNext++
	id := s.listenNext
	s.listeners[id] = f
	return func() {
		s.listenMu.Lock()
		defer s.listenMu.Unlock()
		delete(s.listeners, id)
	}
}

func (s *Store) tellListeners() {
	s.listenMu.Lock()
	defer s.listenMu.Unlock()
	for _, f := range s.listeners {
		f()
	}
}
