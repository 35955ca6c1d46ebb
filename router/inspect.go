package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Inspection is one dead letter with everything that is known of it.
type Inspection struct {
	store.DeadLetter
	Topic         string
	Partition     string // where it stood on its transport; "" where that numbers nothing
	Offset        string
	CorrelationID string
	CausationID   string
	OccurredAt    time.Time
	Metadata      map[string]string
	Payload       []byte           // as it came; personal data is masked unless the reader asked for it, with a reason
	Bytes         int              // of the original
	Masked        []string         // JSON Pointers of what is masked
	Withheld      bool             // it is no JSON, so that nothing of it is safe to show
	Problems      []events.Problem // how it breaks its contract, as this version of the contract sees it
	Trail         []store.Audited  // what operators did with it
}

// Unmask asks for personal data: who, and why. It is audited.
type Unmask struct{ Actor, Reason string }

const unmasking = "unmask" // in the audit

// Inspect reads one dead letter.
func (s *Service) Inspect(ctx context.Context, id store.LetterID, unmask *Unmask) (Inspection, error) {
	if unmask != nil {
		err := s.store.Do(ctx, func(ctx context.Context, tx *store.Tx) error {
			return tx.Audit(ctx, unmask.Actor, unmasking, s.letterName(id), unmask.Reason)
		})
		if err != nil {
			return Inspection{}, err
		}
	}
	var i Inspection
	err := s.store.View(ctx, func(ctx context.Context, r store.Reader) (err error) {
		if i.Trail, err = store.AuditOf(ctx, r, s.letterName(id)); err != nil {
			return err
		}
		if i.DeadLetter, err = store.Letter(ctx, r, id); err != nil {
			return s.ended(id, i.Trail, err)
		}
		if id.Job {
			return i.readJob(ctx, r)
		}
		return i.readEvent(ctx, r)
	})
	if err != nil {
		return i, err
	}
	i.Bytes = len(i.Payload)
	if !id.Job {
		var invalid *events.Invalid
		if _, err := s.store.Catalogue().Decode(i.Payload); errors.As(err, &invalid) {
			i.Problems = invalid.Problems
		}
	}
	if unmask == nil {
		s.maskPayload(&i)
	}
	return i, nil
}

// EndedError says of what was a dead letter once how an operator ended it.
type EndedError struct {
	Letter string // its name
	Last   store.Audited
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("%s is no dead letter any more; last done with it: %s by %s at %s: %s", e.Letter, e.Last.Action, e.Last.Actor, e.Last.At.UTC().Format(time.RFC3339), e.Last.Detail)
}

// Unwrap makes it a letter that is not there.
func (e *EndedError) Unwrap() error { return store.ErrNoLetter }

// ended adds to the error of a letter that is not there what was done with it; err is left alone where nothing was.
func (s *Service) ended(id store.LetterID, trail []store.Audited, err error) error {
	for _, deed := range slices.Backward(trail) {
		if errors.Is(err, store.ErrNoLetter) && deed.Action != unmasking {
			return &EndedError{Letter: s.letterName(id), Last: deed}
		}
	}
	return err
}

func (i *Inspection) readEvent(ctx context.Context, r store.Reader) error {
	p, err := store.DeadEvent(ctx, r, i.ID.N)
	i.Topic, i.Partition, i.Offset, i.OccurredAt = p.Topic, p.Partition, p.Offset, p.OccurredAt
	i.CorrelationID, i.CausationID, i.Metadata, i.Payload = p.CorrelationID, p.CausationID, p.Metadata, p.Payload
	return err
}

func (i *Inspection) readJob(ctx context.Context, r store.Reader) error {
	row, err := store.DeadJob(ctx, r, i.ID.N)
	i.CorrelationID, i.CausationID, i.Payload = row.Origin.CorrelationID, row.Origin.CausationID, row.Payload
	return err
}

func (s *Service) maskPayload(i *Inspection) {
	var err error
	job, known := s.jobs[i.Type]
	switch {
	case !i.ID.Job:
		i.Payload, i.Masked, err = s.store.Catalogue().Mask(i.Topic, i.Payload)
	case known:
		i.Payload, i.Masked, err = job.mask(i.Payload)
	default:
		err = unknownJob(i.Type, s.Name())
	}
	if err != nil {
		i.Payload, i.Masked, i.Withheld = nil, nil, true
	}
}
