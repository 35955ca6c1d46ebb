package app

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/router"
)

const fillPause = time.Second

// fill gives services that are new what was recorded before they came, from the outboxes of its publishers. Where topics keep
// recorded events, new consumers begin at the first of them.
func (a *App) fill(ctx context.Context) error {
	if a.topics() != nil {
		return nil
	}
	from := a.api.Recorder()
	var group errgroup.Group
	for _, s := range a.services {
		group.Go(func() error { return a.fillService(ctx, s, from) })
	}
	return group.Wait()
}

// fillService waits a while for publishers in other processes, which may just start too.
func (a *App) fillService(ctx context.Context, s *router.Service, from router.Recorder) error {
	patience := cmp.Or(a.options.FillPatience, time.Minute)
	for began := time.Now(); ; {
		err := s.Fill(ctx, from)
		switch {
		case err == nil || ctx.Err() != nil:
			return ctx.Err()
		case api.IsUnreachable(err) && time.Since(began) < patience:
			select {
			case <-ctx.Done():
			case <-time.After(fillPause):
			}
		default:
			if api.IsUnauthorized(err) {
				err = fmt.Errorf("%w (http.peer_token: a token with the role viewer)", err)
			}
			a.log.ErrorContext(ctx, "a new consumer begins without what was recorded before it; the next start tries again", "service", s.Name(), "error", err)
			return nil
		}
	}
}
