package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/first-viscount/viscount/internal/failpoints"
	"github.com/first-viscount/viscount/store"
)

// ErrConfiguration says that a process refuses its configuration.
var ErrConfiguration = errors.New("the configuration is not usable")

// readFailpoints lets VISCOUNT_FAILPOINTS break this process. The configuration refuses the variable unless debug.failpoints
// is true.
func (a *App) readFailpoints() error {
	list := os.Getenv("VISCOUNT_FAILPOINTS")
	if a.options.Failpoint != nil || list == "" {
		return nil
	}
	if !a.options.Config.Debug.Failpoints {
		return fmt.Errorf("%w: env VISCOUNT_FAILPOINTS: debug.failpoints is false; set it to true, or unset the variable", ErrConfiguration)
	}
	set, err := failpoints.Parse(list)
	if err != nil {
		return fmt.Errorf("%w: env VISCOUNT_FAILPOINTS: %w", ErrConfiguration, err)
	}
	set.Register(a.registry)
	a.options.Failpoint = set.Hit
	a.log.Warn("this process breaks on purpose", "VISCOUNT_FAILPOINTS", list)
	return nil
}

// failing passes the failpoints around a publication.
func failing(publish store.Publisher, failpoint func(name string) error) store.Publisher {
	if failpoint == nil {
		return publish
	}
	return func(ctx context.Context, round int64, rows []store.Row) error {
		if err := failpoint("publish.before"); err != nil {
			return err
		}
		if err := publish(ctx, round, rows); err != nil {
			return err
		}
		return failpoint("publish.after")
	}
}
