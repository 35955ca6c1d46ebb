package router

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// suspectsFirst is how many events are suspected after a first crash; each further one within minutes doubles them. Whoever is
// not among them and guilty will be after the next.
const suspectsFirst = 64

// crashLimit is how many processes in a row may end while an event or a job runs alone before it becomes a dead letter.
const crashLimit = 5

// suspicion makes a service careful after an unclean stop (design.md, guarantee 8): what may have brought the process down
// runs alone in it, with the attempt stored first, so that only the culprit collects crashes.
type suspicion struct {
	alone *sync.RWMutex // of the process: a suspect holds it, everything else shares it
	limit int           // so many may have been in hand when the process ended: suspects at most

	mu    sync.Mutex
	since time.Time // the unclean stop that left was set for
	left  int       // suspects that may still come
}

// stopped tells when the last unclean stop was noticed, while suspects of it may still come.
func (u *suspicion) stopped(st *store.Store) (at time.Time, careful bool) {
	at = st.Unclean()
	if at.IsZero() {
		return at, false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if at.After(u.since) {
		u.since, u.left = at, min(u.limit, suspectsFirst<<min(max(st.Crashes()-1, 0), 16))
	}
	return at, u.left > 0
}

func (u *suspicion) spend() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.left--
}

// crashedError says that an event or a job ended the process whenever it ran.
type crashedError struct{ times int }

func (e *crashedError) Error() string {
	return fmt.Sprintf("the process ended %d times in a row while this ran alone", e.times)
}

// carefully makes one attempt at a message: alone if it is a suspect.
func (s *Service) carefully(msg *message.Message, next message.HandlerFunc) ([]*message.Message, error) {
	stop, careful := s.suspicion.stopped(s.store)
	if !careful {
		return next(msg)
	}
	d := deliveryOf(msg)
	suspect, err := s.suspects(msg.Context(), d, stop)
	if err != nil {
		return nil, err
	}
	if !suspect {
		s.suspicion.alone.RLock()
		defer s.suspicion.alone.RUnlock()
		return next(msg)
	}
	var out []*message.Message
	d.subject = subjectOf(d.event)
	defer func() { d.subject = "" }()
	err = s.runAlone(msg.Context(), d.subject, func() (err error) {
		out, err = next(msg)
		return err
	})
	s.suspicion.spend()
	var crashed *crashedError
	if errors.As(err, &crashed) {
		d.attempts += crashed.times - 1 // the last one is counted as any other
	}
	return out, err
}

// subjectOf is how an event is called among the suspects.
func subjectOf(e *events.Decoded) string { return "event/" + e.Envelope.EventID.String() }

// suspects tells whether the event may have been in the hands of the process that ended: it is older than that, and nobody
// has recorded it. One that claims to come from the future tells nothing about its age.
func (s *Service) suspects(ctx context.Context, d *delivery, stop time.Time) (bool, error) {
	at := d.event.Envelope.Timestamp
	if at.After(stop) && !at.After(s.store.Now()) {
		return false, nil
	}
	if d.parked != nil {
		return true, nil
	}
	id := d.event.Envelope.EventID
	var known bool
	err := s.store.View(ctx, func(ctx context.Context, r store.Reader) error {
		found, err := store.Deliveries(ctx, r, []uuid.UUID{id})
		_, known = found[id]
		return err
	})
	return !known, err
}

// runAlone runs a suspect while nothing else runs in the process. A process that ends meanwhile leaves the suspect's row.
func (s *Service) runAlone(ctx context.Context, subject string, run func() error) error {
	s.suspicion.alone.Lock()
	defer s.suspicion.alone.Unlock()
	if s.draining.Load() {
		return errDraining
	}
	defer s.store.Hurry()()
	crashes, err := s.store.Suspect(ctx, subject)
	if err != nil {
		return err
	}
	if crashes >= crashLimit {
		return &crashedError{times: crashes}
	}
	if err := run(); err != nil { // else it was acquitted in its own transaction
		if acquitted := s.store.Do(context.WithoutCancel(ctx), func(ctx context.Context, tx *store.Tx) error { return tx.Acquit(ctx, subject) }); acquitted != nil {
			return acquitted
		}
		return err
	}
	return nil
}
