package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"

	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
)

const (
	externalBatch = 128
	externalLock  = "outbox_external"
)

// external is a row that a service in another language inserted, in a transaction of its own.
type external struct {
	id                     int64
	event                  []byte
	causation, traceParent string
}

// takeOver moves events of other languages into the outbox until ctx ends, in the order of their ids. It runs beside the
// relay of the instance that leads.
func (s *Store) takeOver(ctx context.Context) {
	poll := newPoll(externalIdle)
	defer poll.stop()
	wait := newBackoff()
	for ctx.Err() == nil {
		n, err := s.takeOverSome(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.ErrorContext(ctx, "taking over outbox_external; trying again", "error", err)
			wait.sleep(ctx)
			continue
		case n == externalBatch:
			continue
		}
		wait = newBackoff()
		select {
		case <-ctx.Done():
		case <-poll.next(n > 0):
		}
	}
}

// takeOverSome moves a batch. The lock keeps out an instance that believes to lead still.
func (s *Store) takeOverSome(ctx context.Context) (n int, err error) {
	var waiting bool
	err = s.db.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM outbox_external WHERE code IS NULL)").Scan(&waiting)
	if err != nil || !waiting {
		return 0, err
	}
	err = s.DoKey(context.WithoutCancel(ctx), externalLock, func(ctx context.Context, tx *Tx) error {
		rows, err := All(ctx, tx, scanExternal, "SELECT id, event, causation_id, traceparent FROM outbox_external WHERE code IS NULL ORDER BY id LIMIT $1", externalBatch)
		n = len(rows)
		for i := range rows {
			if err == nil {
				err = tx.takeOverOne(ctx, &rows[i])
			}
		}
		return err
	})
	return n, err
}

func scanExternal(row Scanner) (e external, err error) {
	err = row.Scan(&e.id, &e.event, &e.causation, &e.traceParent)
	return e, err
}

// takeOverOne enters an event into the outbox, numbered like the service's own, or leaves its row with what is wrong.
func (t *Tx) takeOverOne(ctx context.Context, row *external) error {
	d, err := t.store.checkExternal(row)
	var bad *events.Invalid
	if errors.As(err, &bad) {
		return t.refuseExternal(ctx, row, string(bad.Problems[0].Code), bad.Error())
	}
	duplicate, err := t.accept(ctx, d, func(e *emission) {
		e.sequenced, e.CausationID, e.TraceParent = true, row.causation, row.traceParent
	})
	switch {
	case errors.Is(err, ErrConflict):
		return t.refuseExternal(ctx, row, "id_conflict", "/event_id: this event_id is taken by an event with other content")
	case err != nil:
		return err
	case duplicate:
		t.OnCommit(func() {
			t.store.log.Info("an event of outbox_external is in the outbox already; nothing to do", "event_id", d.Envelope.EventID)
		})
	}
	_, err = t.Exec(ctx, "DELETE FROM outbox_external WHERE id = $1", row.id)
	return err
}

func (t *Tx) refuseExternal(ctx context.Context, row *external, code, detail string) error {
	_, err := t.Exec(ctx, "UPDATE outbox_external SET code = $1, detail = $2, refused_at = $3 WHERE id = $4", code, detail, micros(t.now), row.id)
	if err != nil {
		return fmt.Errorf("refusing row %d of outbox_external: %w", row.id, err)
	}
	t.OnCommit(func() {
		t.store.log.Error("an event of outbox_external is refused; it stays there until it is mended or deleted", slog.Int64("row", row.id), "code", code, "detail", detail)
	})
	return nil
}

var traceForm = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)

// checkExternal checks a row as its publisher; its error is an *events.Invalid.
func (s *Store) checkExternal(row *external) (*events.Decoded, error) {
	d, err := s.catalogue.CheckPublish(row.event)
	if err != nil {
		return nil, err
	}
	refuse := func(path string, code events.Code, detail string) error {
		return &events.Invalid{Problems: []events.Problem{{Path: path, Code: code, Detail: detail}}}
	}
	if s.source != "" && d.Envelope.SourceService != s.source {
		return nil, refuse("/source_service", events.WrongPublisher, fmt.Sprintf("this is the outbox of %s; insert into the schema of the service that publishes %s", s.source, d.Envelope.EventType))
	}
	if _, err := uuid.Parse(row.causation); row.causation != "" && err != nil {
		return nil, refuse("", events.InvalidEventID, "causation_id must be the event_id of the event that caused this one, or empty")
	}
	if row.traceParent != "" && !traceForm.MatchString(row.traceParent) {
		return nil, refuse("", events.InvalidValue, "traceparent must have the form of W3C Trace Context, or be empty")
	}
	return d, nil
}
