package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/router"
)

func newDeadLettersCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "dead-letters", Short: "What failed for good: find out why, and mend it",
		Long: `Events that failed for good in one service, and jobs whose retries are spent. Begin with groups, then show one of a group;
mend the cause; requeue with --dry-run; requeue.`,
	}
	cmd.AddCommand(newListLettersCommand(g), newLetterGroupsCommand(g), newShowLetterCommand(g),
		newMendCommand(g, requeueing), newMendCommand(g, discarding), newReleaseCommand(g))
	return cmd
}

// letterFlags choose dead letters.
type letterFlags struct{ service, eventType, code, fingerprint, key, since string }

func (f *letterFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.service, "service", "", "of this service")
	flags.StringVar(&f.eventType, "type", "", "of this event type, or kind of job")
	flags.StringVar(&f.code, "code", "", "failed for this reason, as in handler_failed")
	flags.StringVar(&f.fingerprint, "fingerprint", "", "of this cause, as groups shows it")
	flags.StringVar(&f.key, "key", "", "of this ordering key: an order or a product")
	flags.StringVar(&f.since, "since", "", "failed last in this time (1h, 30m), or after it (2026-01-15T12:00:00Z)")
}

// values are the filter as parameters; those that are not given are left out.
func (f *letterFlags) values() (url.Values, error) {
	if err := oneOf("code", f.code, router.LetterCodes()); err != nil {
		return nil, err
	}
	v := url.Values{}
	for name, value := range map[string]string{"service": f.service, "type": f.eventType, "code": f.code, "fingerprint": f.fingerprint, "key": f.key} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if f.since == "" {
		return v, nil
	}
	at, err := time.Parse(time.RFC3339, f.since)
	if ago, bad := time.ParseDuration(f.since); bad == nil {
		at, err = time.Now().Add(-ago), nil
	}
	if err != nil {
		return nil, &exitError{code: exitUsage, err: errorf("--since %q: write how long ago (1h), or a time (2026-01-15T12:00:00Z)", f.since)}
	}
	v.Set("since", at.UTC().Format(time.RFC3339Nano))
	return v, nil
}

// listed is a page of a list over all services.
type listed[T any] struct {
	Items       []T      `json:"items"`
	NextCursor  string   `json:"next_cursor,omitzero"`
	Unreachable []string `json:"unreachable,omitzero"`
}

const pageLimit = 200 // of the server

// readList reads up to limit items, page by page. A cursor in the answer says that there are more.
func readList[T any](ctx context.Context, c *client, path string, query url.Values, limit int) (all listed[T], err error) {
	all.Items = []T{}
	for {
		query.Set("limit", strconv.Itoa(min(limit-len(all.Items), pageLimit)))
		var page listed[T]
		if err := c.get(ctx, path+"?"+query.Encode(), &page); err != nil {
			return all, err
		}
		all.Items, all.NextCursor, all.Unreachable = append(all.Items, page.Items...), page.NextCursor, page.Unreachable
		if page.NextCursor == "" || len(all.Items) >= limit {
			return all, nil
		}
		query.Set("cursor", page.NextCursor)
	}
}

// finish ends the printing of a list: what is missing is no answer that one may rely on.
func finish[T any](cmd *cobra.Command, list listed[T], nothing string) error {
	errOut := cmd.ErrOrStderr()
	if len(list.Items) == 0 && len(list.Unreachable) == 0 {
		fmt.Fprintln(errOut, nothing)
	}
	if list.NextCursor != "" {
		fmt.Fprintf(errOut, "there are more than these %d: narrow the filter, or raise --limit\n", len(list.Items))
	}
	if len(list.Unreachable) > 0 {
		return no(fmt.Errorf("incomplete: %s", strings.Join(list.Unreachable, "; ")))
	}
	return nil
}

func newListLettersCommand(g *globals) *cobra.Command {
	var filter letterFlags
	var limit int
	cmd := &cobra.Command{
		Use: "list", Short: "List dead letters, those that failed last first", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := filter.values()
			if err != nil {
				return err
			}
			list, err := readList[api.DeadLetter](cmd.Context(), g.client(), "/dead-letters", query, max(limit, 1))
			if err != nil {
				return err
			}
			if g.Output == "json" {
				err = printJSON(cmd.OutOrStdout(), list)
			} else if len(list.Items) > 0 {
				err = printLetters(cmd.OutOrStdout(), list.Items)
			}
			return cmp.Or(err, finish(cmd, list, "no dead letters"))
		},
	}
	filter.bind(cmd)
	cmd.Flags().IntVar(&limit, "limit", 50, "dead letters to list at most")
	return cmd
}

func printLetters(out io.Writer, letters []api.DeadLetter) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tFAILED\tTYPE\tKEY\tCODE\tATTEMPTS\tHOLDS\tDETAIL")
	for _, l := range letters {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", l.ID, ago(l.FailedLast), cell(letterType(l), 40), cell(l.Key, 40), l.Code, l.Attempts, holds(l), cell(l.Detail, 80))
	}
	return table.Flush()
}

// letterType is what failed: an event's type, or a job.
func letterType(l api.DeadLetter) string {
	if l.Job != "" {
		return "job " + l.Job
	}
	return l.EventType
}

// holds tells how many events wait behind a letter.
func holds(l api.DeadLetter) string {
	if !l.HoldsKey {
		return "-"
	}
	return strconv.FormatInt(l.HeldBehind, 10)
}

func newLetterGroupsCommand(g *globals) *cobra.Command {
	var filter letterFlags
	cmd := &cobra.Command{
		Use: "groups", Short: "Dead letters by cause, the largest group first", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query, err := filter.values()
			if err != nil {
				return err
			}
			groups, err := readGroups(cmd.Context(), g.client(), query)
			if err != nil {
				return err
			}
			if g.Output == "json" {
				err = printJSON(cmd.OutOrStdout(), groups)
			} else if len(groups.Items) > 0 {
				err = printGroups(cmd.OutOrStdout(), groups.Items)
			}
			return cmp.Or(err, finish(cmd, groups, "no dead letters"))
		},
	}
	filter.bind(cmd)
	return cmd
}

func readGroups(ctx context.Context, c *client, query url.Values) (groups listed[api.DeadLetterGroup], err error) {
	return groups, c.get(ctx, "/dead-letters/groups?"+query.Encode(), &groups)
}

func printGroups(out io.Writer, groups []api.DeadLetterGroup) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "COUNT\tSERVICE\tTYPE\tCODE\tKEYS\tHELD\tFIRST\tLAST\tFINGERPRINT\tDETAIL")
	for _, g := range groups {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\t%s\n", g.Count, g.Service, cell(g.Type, 40), g.Code, g.Keys, g.HeldBehind, ago(g.FailedFirst), ago(g.FailedLast), g.Fingerprint, cell(g.Detail, 80))
	}
	return table.Flush()
}

// ago is a time as an operator thinks of it.
func ago(at time.Time) string {
	switch d := time.Since(at); {
	case d < time.Minute:
		return strconv.Itoa(max(int(d.Seconds()), 0)) + "s ago"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m ago"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h ago"
	default:
		return strconv.Itoa(int(d.Hours()/24)) + "d ago"
	}
}

// cell makes foreign text fit for a table: one line, no escape sequences, not too long.
func cell(text string, most int) string {
	text = plain(text)
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return cmp.Or(text, "-")
}

// plain replaces what would move the cursor of a terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}
