package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/simulator"
)

const (
	rebuildPoll   = 300 * time.Millisecond
	rebuildSilent = 30 * time.Second // a server that has reported nothing for so long is gone, or cannot commit
)

func newRebuildCommand(g *globals) *cobra.Command {
	var acceptLoss bool
	cmd := &cobra.Command{
		Use: "rebuild SERVICE", Short: "Fill a service's projection again from recorded events, while the old one goes on answering",
		Long: `Fill a service's projection again from recorded events.

The old projection goes on answering; the new one replaces it at once when it has caught up. When anything fails, or the
server ends meanwhile, the old one stands: run the command again. A service whose tables hold what it decided itself cannot
be rebuilt, nor one that declares no Rebuild in app/routes.go: exit 2.`,
		Args: takes("SERVICE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			standing, err := rebuild(cmd.Context(), g.client(), args[0], acceptLoss, newProgress(cmd.ErrOrStderr()))
			if err != nil {
				return err
			}
			if g.Output == "json" {
				err = printJSON(cmd.OutOrStdout(), standing)
			} else if standing.State == router.RebuildDone {
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s rebuilt from %d events in %.1f s\n", args[0], standing.Done, standing.UpdatedAt.Sub(standing.StartedAt).Seconds())
			}
			if err == nil && standing.State != router.RebuildDone {
				err = no(fmt.Errorf("the rebuild of %s is %s, and the old projection stands: %s", args[0], standing.State, standing.Detail))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&acceptLoss, "accept-loss", false, "replace the projection although fewer events are recorded than it was made from")
	return cmd
}

// rebuild begins a rebuild and follows it to its end.
func rebuild(ctx context.Context, c *client, service string, acceptLoss bool, progress simulator.Progress) (standing router.Rebuilding, err error) {
	path := "/consumers/" + url.PathEscape(service) + "/rebuild"
	if err := c.post(ctx, path, "application/json", fmt.Appendf(nil, `{"accept_loss":%t}`, acceptLoss), &standing); err != nil {
		var refused *apiProblem
		if errors.As(err, &refused) && refused.Code == api.CodeNotRebuildable {
			return standing, &exitError{code: exitUsage, err: errors.New(refused.Detail)}
		}
		return standing, err
	}
	id, shown := standing.ID, int64(0)
	progress.Phase("events", int(standing.Total))
	defer progress.Done()
	for standing.Running() {
		progress.Add(int(standing.Done - shown))
		shown = standing.Done
		select {
		case <-ctx.Done():
			return standing, no(fmt.Errorf("no longer following; the rebuild goes on: %w", ctx.Err()))
		case <-time.After(rebuildPoll):
		}
		if err := c.get(ctx, path, &standing); err != nil {
			return standing, err
		}
		if standing.ID != id {
			return standing, no(errors.New("another rebuild has begun meanwhile"))
		}
		if time.Since(standing.UpdatedAt) > rebuildSilent && standing.State == router.RebuildFilling {
			return standing, no(fmt.Errorf("the server that rebuilds has said nothing for %s: it was probably ended; run the command again when it runs", rebuildSilent))
		}
	}
	progress.Add(int(standing.Done - shown))
	return standing, nil
}
