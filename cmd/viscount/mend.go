package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/api"
)

// mending is an action on dead letters as the command line offers it.
type mending struct {
	name, short, long string
	done              string // requeued
}

var (
	requeueing = mending{"requeue", "Send dead letters back to the service that failed", `Sends dead letters back to the service that failed: those named, or those that match the filters. The first goes alone, then
more and more at the same time; it stops by itself when one fails as it did before. Requeueing twice does no harm. --dry-run
runs the handler of now on them, rolls everything back, and counts what would pass and what would fail (exit 1).`, "requeued"}
	discarding = mending{"discard", "Give dead letters up; their keys go on (role admin)", `Gives dead letters up: those named, or those that match the filters. They end without effect, and what waited behind them
goes on. This cannot be taken back; the audit keeps who, when and why.`, "discarded"}
)

// mendFlags are those of requeue and discard.
type mendFlags struct {
	letterFlags
	all, dryRun, yes bool
	limit            int64
	reason           string
}

func newMendCommand(g *globals, m mending) *cobra.Command {
	var flags mendFlags
	cmd := &cobra.Command{
		Use: m.name + " [ID…]", Short: m.short, Long: m.long, Args: takes("[ID…]"),
		RunE: func(cmd *cobra.Command, ids []string) error { return runMend(cmd, g, m, flags, ids) },
	}
	flags.bind(cmd)
	f := cmd.Flags()
	f.BoolVar(&flags.all, "all", false, "all dead letters")
	f.BoolVar(&flags.dryRun, "dry-run", false, "change nothing; say what would happen")
	f.Int64Var(&flags.limit, "limit", 0, "the first N only")
	f.StringVar(&flags.reason, "reason", "", "why; kept in the audit")
	f.BoolVar(&flags.yes, "yes", false, "do not ask before acting on many")
	return cmd
}

func newReleaseCommand(g *globals) *cobra.Command {
	var flags mendFlags
	cmd := &cobra.Command{
		Use: "release KEY", Short: "Let what waits behind the dead letters of a key pass; the letters stay", Args: takes("KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			flags.key, flags.yes = args[0], true
			return runMend(cmd, g, mending{name: "release", done: "released"}, flags, nil)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.service, "service", "", "in this service only")
	f.StringVar(&flags.reason, "reason", "", "why; kept in the audit")
	f.BoolVar(&flags.dryRun, "dry-run", false, "change nothing; say how many letters hold the key")
	return cmd
}

// mendRequest is the body of the API's actions.
type mendRequest struct {
	IDs    []string           `json:"ids,omitzero"`
	Filter *map[string]string `json:"filter,omitzero"`
	DryRun bool               `json:"dry_run,omitzero"`
	Limit  int64              `json:"limit,omitzero"`
	Reason string             `json:"reason,omitzero"`
	After  string             `json:"after,omitzero"`
}

func (f *mendFlags) request(ids []string) (mendRequest, error) {
	r := mendRequest{IDs: ids, DryRun: f.dryRun, Reason: f.reason}
	values, err := f.values()
	if err != nil {
		return r, err
	}
	usage := func(text string) (mendRequest, error) { return r, &exitError{code: exitUsage, err: errorf("%s", text)} }
	switch chosen := len(values) > 0; {
	case len(ids) > 0 && (chosen || f.all), f.all && chosen:
		return usage("name dead letters, or filter them, or say --all: one of these")
	case len(ids) == 0 && !chosen && !f.all:
		return usage("name dead letters (see viscount dead-letters groups), filter them (--fingerprint, --service, …), or say --all")
	case f.reason == "" && !f.dryRun:
		return usage("--reason is required: it is kept in the audit")
	case f.limit < 0:
		return usage("--limit must not be negative")
	}
	if len(ids) == 0 {
		filter := map[string]string{}
		for name := range values {
			filter[name] = values.Get(name)
		}
		r.Filter = &filter
	}
	return r, nil
}

const mendChunk = 100 // letters of one request, so that the bar moves

func runMend(cmd *cobra.Command, g *globals, m mending, flags mendFlags, ids []string) error {
	request, err := flags.request(ids)
	if err != nil {
		return err
	}
	c := g.client()
	total := int64(len(ids))
	if len(ids) == 0 {
		if total, err = countLetters(cmd.Context(), c, flags.letterFlags); err != nil {
			return err
		}
	}
	if flags.limit > 0 {
		total = min(total, flags.limit)
	}
	if total > 1 && !flags.dryRun {
		if err := confirm(cmd, flags.yes, m.name+" "+letters(total)+"?"); err != nil {
			return err
		}
	}
	answer, err := mendLetters(cmd, c, m, request, flags.limit, total)
	if err != nil {
		return err
	}
	if g.Output == "json" {
		err = printJSON(cmd.OutOrStdout(), answer)
	} else {
		err = printMended(cmd.OutOrStdout(), m, answer, total)
	}
	return cmp.Or(err, mendVerdict(m, answer, len(ids) > 0 || m.name == "release"))
}

func countLetters(ctx context.Context, c *client, f letterFlags) (total int64, err error) {
	query, err := f.values()
	if err != nil {
		return 0, err
	}
	groups, err := readGroups(ctx, c, query)
	for _, one := range groups.Items {
		total += one.Count
	}
	return total, err
}

// mendLetters repeats the request until nothing is left, the limit is reached, or the server stopped.
func mendLetters(cmd *cobra.Command, c *client, m mending, request mendRequest, limit, total int64) (sum api.Mended, err error) {
	progress := newProgress(cmd.ErrOrStderr())
	if total > mendChunk {
		progress.Phase(m.name, int(total))
		defer progress.Done()
	}
	sum.DryRun, sum.Failures = request.DryRun, []api.LetterFailure{}
	for {
		request.Limit = mendChunk
		if limit > 0 {
			request.Limit = min(mendChunk, limit-sum.Tried)
		}
		body, err := json.Marshal(request)
		if err != nil {
			return sum, err
		}
		var part api.Mended
		if err := c.post(cmd.Context(), "/dead-letters/"+m.name, "application/json", body, &part); err != nil {
			if sum.Tried > 0 {
				err = fmt.Errorf("after %s: %w", letters(sum.Tried), err)
			}
			return sum, err
		}
		sum.Add(part)
		if total > mendChunk {
			progress.Add(int(part.Tried))
		}
		if part.Next == "" || part.Stopped != nil || limit > 0 && sum.Tried >= limit {
			return sum, nil
		}
		request.After = part.Next
	}
}

func printMended(out io.Writer, m mending, a api.Mended, total int64) error {
	var parts []string
	for _, one := range a.Outcomes.Named() {
		if one.Count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", one.Count, one.Name))
		}
	}
	what := m.done
	if a.DryRun {
		what = "dry run of " + m.name + ":"
	}
	line := what + " " + letters(a.Tried)
	if len(parts) > 0 {
		line += ": " + strings.Join(parts, ", ")
	}
	fmt.Fprintln(out, line)
	for _, w := range a.Waits {
		fmt.Fprintf(out, "  %d × not handled, waits: %s (viscount waiting list --code %s)\n", w.Count, waitWords[w.Code], w.Code)
	}
	for _, f := range a.Failures {
		fmt.Fprintf(out, "  %d × %s in %s: %s (as %s)\n", f.Count, f.Code, f.Service, cell(f.Detail, 120), f.ID)
	}
	if a.Stopped != nil {
		where, why := a.Stopped.ID, "it failed as before"
		if where == "" { // no letter's fault
			where, why = a.Stopped.Service, cell(a.Stopped.Detail, 200)
		}
		fmt.Fprintf(out, "stopped at %s: %s; %s not touched\n", where, why, letters(max(total-a.Tried, 0)))
	}
	if a.DryRun {
		fmt.Fprintln(out, "nothing was changed")
	}
	return nil
}

func letters(n int64) string { return count(int(n), "dead letter") }

// mendVerdict is the exit code: 1 when something failed, or is not known.
func mendVerdict(m mending, a api.Mended, named bool) error {
	switch {
	case len(a.Unreachable) > 0:
		return no(fmt.Errorf("incomplete: %s", strings.Join(a.Unreachable, "; ")))
	case a.Stopped != nil:
		return no(fmt.Errorf("stopped: %s: %s", a.Stopped.Code, plain(a.Stopped.Detail)))
	case len(a.Failures) > 0 && a.DryRun:
		return no(errorf("some would fail"))
	case len(a.Failures) > 0:
		return no(errorf("some failed again"))
	case a.Tried == 0 && named:
		return no(errorf("none of these is a dead letter (any more): nothing to %s", m.name))
	}
	return nil
}
