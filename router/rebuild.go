package router

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/store"
)

// Rebuild says which tables of a consumer derive from events alone, so that they can be filled again from recorded ones. They
// hold event times, never the time of handling, and nothing that depends on the order of different topics.
type Rebuild struct {
	Tables []string     // replaced together
	Kept   []store.Rows // of these tables or others: what no event brings back, present before the first one is handled again
	Never  string       // why there can be no such tables
}

const undeclared = "it declares no Rebuild in app/routes.go (the tables that recorded events alone can fill again)"

func (r Rebuild) refusal() string {
	if len(r.Tables) > 0 {
		return ""
	}
	return cmp.Or(r.Never, undeclared)
}

// Recorder gives recorded events again: those of one key and topic in order.
type Recorder interface {
	// Count is how many there are of the topics.
	Count(ctx context.Context, topics []string) (int64, error)
	// Read gives a page after a position ("" at the beginning). What was recorded before the call is in it, unless more says
	// that there is more.
	Read(ctx context.Context, topics []string, after string) (page []Recorded, next string, more bool, err error)
}

// Recorded is an event as its publisher recorded it.
type Recorded struct {
	EventID     uuid.UUID
	Topic       string
	Key         string
	Sequence    int64
	CausationID string
	Payload     []byte
}

// Rebuilding is how a consumer's rebuild stands. It is kept in the consumer's database, so that every instance can tell.
type Rebuilding struct {
	ID        string    `json:"id,omitzero"`
	State     string    `json:"state"`
	Done      int64     `json:"done"`
	Total     int64     `json:"total"`
	StartedAt time.Time `json:"started_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	Detail    string    `json:"detail,omitzero"` // why it failed
}

// States of a rebuild.
const (
	RebuildNone        = "none"
	RebuildFilling     = "filling"
	RebuildReplacing   = "replacing"
	RebuildDone        = "done"
	RebuildFailed      = "failed"
	RebuildInterrupted = "interrupted" // its process ended; the old projection stands
)

// Running tells whether the rebuild is under way.
func (r Rebuilding) Running() bool { return r.State == RebuildFilling || r.State == RebuildReplacing }

// NotRebuiltError says that a consumer has no tables to be filled again, and why.
type NotRebuiltError struct{ Consumer, Why string }

func (e *NotRebuiltError) Error() string { return e.Consumer + " cannot be rebuilt: " + e.Why }

const (
	rebuildSetting = "rebuild"
	reportEvery    = time.Second
	fillParallel   = 128
	rebuildRetries = 3
)

type rebuildRequest struct {
	from       Recorder
	acceptLoss bool
	id         string
	began      chan error
}

// StartRebuild begins to fill the consumer's projection again, beside the one that goes on answering, and returns when that
// is under way. acceptLoss replaces it although fewer events are recorded than it was made from.
func (s *Service) StartRebuild(ctx context.Context, from Recorder, acceptLoss bool) (Rebuilding, error) {
	if why := s.consumer.Rebuild.refusal(); why != "" {
		return Rebuilding{}, &NotRebuiltError{s.Name(), why}
	}
	request := rebuildRequest{from: from, acceptLoss: acceptLoss, id: s.store.NewID().String(), began: make(chan error, 1)}
	select {
	case s.rebuilds <- request:
	case <-ctx.Done():
		return Rebuilding{}, ctx.Err()
	case <-time.After(reportEvery): // whoever takes requests is busy with one
		return Rebuilding{}, store.ErrShadowed
	}
	select {
	case err := <-request.began:
		if err != nil {
			return Rebuilding{}, err
		}
	case <-ctx.Done():
		return Rebuilding{}, ctx.Err()
	}
	return s.Rebuilding(ctx)
}

// RunRebuild is StartRebuild where nothing runs in the background: it returns when the rebuild has ended.
func (s *Service) RunRebuild(ctx context.Context, from Recorder, acceptLoss bool) (Rebuilding, error) {
	request := rebuildRequest{from: from, acceptLoss: acceptLoss, id: s.store.NewID().String(), began: make(chan error, 1)}
	s.runRebuild(ctx, request)
	if err := <-request.began; err != nil {
		return Rebuilding{}, err
	}
	return s.Rebuilding(ctx)
}

// Rebuilding is how the consumer's last rebuild stands.
func (s *Service) Rebuilding(ctx context.Context) (r Rebuilding, err error) {
	err = s.store.View(ctx, func(ctx context.Context, q store.Reader) error {
		text, err := store.Setting(ctx, q, rebuildSetting)
		if err != nil || text == "" {
			r.State = RebuildNone
			return err
		}
		return json.Unmarshal([]byte(text), &r)
	})
	return r, err
}

// runRebuilds takes requests until ctx ends. It begins with what a killed process left.
func (s *Service) runRebuilds(ctx context.Context) {
	if s.consumer.Rebuild.refusal() != "" {
		return
	}
	if err := s.clearInterrupted(ctx); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "clearing away an interrupted rebuild; the next one tries again", "error", err)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case request := <-s.rebuilds:
			s.runRebuild(ctx, request)
		}
	}
}

func (s *Service) clearInterrupted(ctx context.Context) error {
	err := s.store.ClearShadow(ctx)
	if errors.Is(err, store.ErrShadowed) { // another instance is at it
		return nil
	}
	if err != nil {
		return err
	}
	standing, err := s.Rebuilding(ctx)
	if err != nil || !standing.Running() {
		return err
	}
	standing.State = RebuildInterrupted
	return s.reportRebuild(ctx, standing)
}

func (s *Service) reportRebuild(ctx context.Context, r Rebuilding) error {
	r.UpdatedAt = s.store.Now()
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return s.store.Do(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Set(ctx, rebuildSetting, string(text)) })
}

// runRebuild fills a shadow and lets it take the projection's place.
func (s *Service) runRebuild(ctx context.Context, request rebuildRequest) {
	shadow, err := s.store.Shadow(ctx)
	if err != nil {
		request.began <- err
		return
	}
	r := &rebuild{live: s, shadow: shadow, from: request.from, acceptLoss: request.acceptLoss}
	r.standing = Rebuilding{ID: request.id, State: RebuildFilling, StartedAt: s.store.Now()}
	err = r.prepare(ctx)
	request.began <- err
	if err == nil {
		err = r.run(ctx)
	}
	err = errors.Join(err, shadow.Remove(context.WithoutCancel(ctx), s.store))
	r.standing.State, r.standing.Detail = RebuildDone, ""
	switch {
	case err != nil && ctx.Err() != nil:
		r.standing.State = RebuildInterrupted
	case err != nil:
		r.standing.State, r.standing.Detail = RebuildFailed, err.Error()
	}
	s.log.InfoContext(ctx, "rebuild ended", slog.String("state", r.standing.State), slog.Int64("events", r.standing.Done),
		slog.Duration("took", s.store.Now().Sub(r.standing.StartedAt)), slog.String("detail", r.standing.Detail))
	if err := s.reportRebuild(context.WithoutCancel(ctx), r.standing); err != nil {
		s.log.ErrorContext(ctx, "noting how the rebuild ended", "error", err)
	}
}

// rebuild is one of a consumer's projection.
type rebuild struct {
	live       *Service
	shadow     *store.Shadow
	filler     *Service // the consumer on the shadow: the same chain and handlers; nothing runs its jobs or sends what it emits
	from       Recorder
	acceptLoss bool

	standing  Rebuilding
	reported  time.Time
	at        string             // position among the recorded events
	arrived   int64              // up to here, what the live inbox ended is in the shadow too
	kept      map[string]int64   // rows kept per table
	discarded map[uuid.UUID]bool // what a person gave up is not applied after all
}

// prepare makes the shadow ready for the first event.
func (r *rebuild) prepare(ctx context.Context) (err error) {
	r.filler, err = NewService(ctx, r.live.consumer, r.shadow.Store, Options{
		Logger: slog.New(slog.DiscardHandler), filling: true,
		Settings: Settings{AttemptTimeout: r.live.settings.AttemptTimeout, ImmediateRetries: rebuildRetries, OnFailure: r.live.policy},
	})
	if err != nil {
		return err
	}
	err = r.live.store.View(ctx, func(ctx context.Context, live store.Reader) error {
		if r.discarded, err = discarded(ctx, live); err != nil {
			return err
		}
		r.arrived, err = store.LastArrived(ctx, live)
		return err
	})
	if err != nil {
		return err
	}
	if err := r.keep(ctx); err != nil {
		return err
	}
	if r.standing.Total, err = r.from.Count(ctx, r.live.Topics()); err != nil {
		return fmt.Errorf("counting recorded events: %w", err)
	}
	return r.report(ctx, true)
}

func (r *rebuild) keep(ctx context.Context) error {
	return r.shadow.Do(ctx, func(ctx context.Context, tx *store.Tx) error {
		r.kept = map[string]int64{}
		for _, rows := range r.live.consumer.Rebuild.Kept {
			n, err := r.live.store.CopyIn(ctx, tx, rows)
			if err != nil {
				return err
			}
			r.kept[rows.Table] = n
		}
		return nil
	})
}

func discarded(ctx context.Context, r store.Reader) (map[uuid.UUID]bool, error) {
	given, err := store.InState(ctx, r, store.Discarded)
	up := make(map[uuid.UUID]bool, len(given))
	for _, a := range given {
		up[a.EventID] = true
	}
	return up, err
}

func (r *rebuild) run(ctx context.Context) error {
	if err := r.fill(ctx); err != nil {
		return err
	}
	if err := r.verify(ctx); err != nil { // most of it before anybody has to wait
		return err
	}
	r.standing.State = RebuildReplacing
	if err := r.report(ctx, true); err != nil {
		return err
	}
	if err := r.replace(ctx); err != nil {
		return err
	}
	r.live.wakeEverything()
	return nil
}

// fill handles what is recorded by now.
func (r *rebuild) fill(ctx context.Context) error {
	for more := true; more; {
		var page []Recorded
		var next string
		var err error
		if page, next, more, err = r.from.Read(ctx, r.live.Topics(), r.at); err != nil {
			return fmt.Errorf("reading recorded events: %w", err)
		}
		read := int64(len(page))
		if err := r.handlePage(ctx, page); err != nil {
			return err
		}
		r.at = next
		r.standing.Done += read
		r.standing.Total = max(r.standing.Total, r.standing.Done)
		if r.standing.State == RebuildFilling { // the report is a transaction of the live database
			if err := r.report(ctx, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *rebuild) handlePage(ctx context.Context, page []Recorded) error {
	page = slices.DeleteFunc(page, func(e Recorded) bool { return r.discarded[e.EventID] })
	if err := r.filler.deliverAll(ctx, page); err != nil {
		return fmt.Errorf("filling the new projection: %w", err)
	}
	return nil
}

// deliverAll handles the keys of a page side by side, each in order.
func (s *Service) deliverAll(ctx context.Context, page []Recorded) error {
	keys := map[string][]Recorded{}
	for _, event := range page {
		keys[event.Key] = append(keys[event.Key], event)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(fillParallel)
	for _, lane := range keys {
		group.Go(func() error {
			for _, event := range lane {
				if err := s.Deliver(ctx, event.Topic, event.message()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (e Recorded) message() *message.Message {
	msg := message.NewMessage(e.EventID.String(), e.Payload)
	msg.Metadata.Set(MetaEventID, e.EventID.String())
	if e.Sequence > 0 {
		msg.Metadata.Set(MetaSequence, strconv.FormatInt(e.Sequence, 10))
	}
	if e.CausationID != "" {
		msg.Metadata.Set(MetaCausationID, e.CausationID)
	}
	return msg
}

func (r *rebuild) report(ctx context.Context, now bool) error {
	if !now && time.Since(r.reported) < reportEvery {
		return nil
	}
	r.reported = time.Now()
	return r.live.reportRebuild(ctx, r.standing)
}
