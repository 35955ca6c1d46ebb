package app

import (
	"context"
	"time"

	"github.com/first-viscount/viscount/store"
)

// prune removes what is past its retention, again and again, while this instance leads.
func (a *App) prune(ctx context.Context, st *store.Store) {
	c := a.options.Config.Store
	tick := time.NewTicker(c.PruneInterval)
	defer tick.Stop()
	for {
		if !st.Leading() { // another instance prunes
			if !pause(ctx, tick.C) {
				return
			}
			continue
		}
		keep := store.Retention{Inbox: c.InboxRetention, Outbox: c.OutboxRetention}
		if a.topics() != nil {
			keep.Topics = a.options.Driver.Name
		}
		removed, err := st.Prune(ctx, keep)
		switch {
		case err != nil && ctx.Err() == nil:
			a.log.ErrorContext(ctx, "pruning failed; trying again later", "service", st.Name(), "error", err)
		case removed > 0:
			a.log.InfoContext(ctx, "pruned", "service", st.Name(), "rows", removed)
		}
		if !pause(ctx, tick.C) {
			return
		}
	}
}

func pause(ctx context.Context, tick <-chan time.Time) (goOn bool) {
	select {
	case <-ctx.Done():
		return false
	case <-tick:
		return true
	}
}
