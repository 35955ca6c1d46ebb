package router

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/first-viscount/viscount/store"
)

const (
	fillSetting = "filled"
	fillBegun   = "begun"
	fillDone    = "done"
)

// Fill gives a new consumer what was recorded before it came, on transports whose topics do not: those of a key and topic in
// order, and a missing predecessor is not waited for. It comes before the consumer's first message, ends at once for one that
// has handled anything before, and goes on with what was interrupted.
func (s *Service) Fill(ctx context.Context, from Recorder) error {
	fresh, err := s.unfilled(ctx)
	if err != nil || !fresh {
		return err
	}
	if err := s.set(ctx, fillSetting, fillBegun); err != nil {
		return err
	}
	s.filling.Store(true)
	defer s.filling.Store(false)
	filled, at := 0, ""
	for more := true; more; {
		var page []Recorded
		if page, at, more, err = from.Read(ctx, s.Topics(), at); err != nil {
			return fmt.Errorf("filling %s from recorded events: %w", s.Name(), err)
		}
		if err := s.deliverAll(ctx, page); err != nil {
			return fmt.Errorf("filling %s from recorded events: %w", s.Name(), err)
		}
		filled += len(page)
	}
	if filled > 0 {
		s.log.InfoContext(ctx, "a new consumer was filled from recorded events", slog.Int("events", filled))
	}
	return s.set(ctx, fillSetting, fillDone)
}

// unfilled tells whether the consumer is new, or was interrupted when it was. Its counters outlive its inbox.
func (s *Service) unfilled(ctx context.Context) (fresh bool, err error) {
	err = s.store.View(ctx, func(ctx context.Context, r store.Reader) error {
		state, err := store.Setting(ctx, r, fillSetting)
		if err != nil || state != "" {
			fresh = state == fillBegun
			return err
		}
		ended, err := store.Ended(ctx, r)
		if err != nil || ended > 0 {
			return err
		}
		arrived, err := store.LastArrived(ctx, r)
		fresh = arrived == 0
		return err
	})
	return fresh && len(s.routes) > 0, err
}

func (s *Service) set(ctx context.Context, setting, value string) error {
	return s.store.Do(ctx, func(ctx context.Context, tx *store.Tx) error { return tx.Set(ctx, setting, value) })
}
