package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/api"
)

func newStatusCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Whether events flow, and where a person is needed (exit 1)", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var status api.Status
			if err := g.client().get(cmd.Context(), "/status", &status); err != nil {
				return err
			}
			needs := needsPerson(status)
			if g.Output == "json" {
				if err := printJSON(cmd.OutOrStdout(), status); err != nil || len(needs) == 0 {
					return err
				}
				return no(errors.New("a person is needed: " + strings.Join(whats(needs), "; ")))
			}
			if err := printStatus(cmd.OutOrStdout(), status); err != nil {
				return err
			}
			return printNeeds(cmd.OutOrStdout(), g.causes(cmd.Context(), needs))
		},
	}
}

// need is what does not mend itself, and the command that leads on.
type need struct{ service, what, next string }

// needsPerson lists what does not mend itself.
func needsPerson(status api.Status) (needs []need) {
	for _, s := range status.Services {
		if !s.Ready {
			needs = append(needs, need{s.Service, s.Service + " is not ready", "viscount doctor"})
		}
		if s.Dead > 0 {
			needs = append(needs, need{s.Service, s.Service + " has " + letters(s.Dead), "viscount dead-letters groups --service " + s.Service})
		}
		if s.OutboxRefused > 0 {
			needs = append(needs, need{s.Service, fmt.Sprintf("%s has %d refused events in its table outbox_external (columns code and detail say why)", s.Service, s.OutboxRefused), ""})
		}
		if s.Paused {
			needs = append(needs, need{s.Service, s.Service + " is paused: " + cell(s.WhyPaused, 200), "viscount resume " + s.Service + " --reason WHY"})
		}
	}
	for _, line := range status.Degraded {
		needs = append(needs, need{"", line, "viscount doctor"})
	}
	return needs
}

func whats(needs []need) (lines []string) {
	for _, n := range needs {
		lines = append(lines, n.what)
	}
	return lines
}

// causes adds to dead letters why they failed, where the server tells. What it does not tell is no reason to show less.
func (g *globals) causes(ctx context.Context, needs []need) []need {
	if !slices.ContainsFunc(needs, func(n need) bool { return strings.HasPrefix(n.next, "viscount dead-letters") }) {
		return needs
	}
	groups, err := readGroups(ctx, g.client(), url.Values{})
	if err != nil {
		return needs
	}
	for i := range needs {
		n := &needs[i]
		if !strings.HasPrefix(n.next, "viscount dead-letters") {
			continue
		}
		n.what += causesOf(n.service, groups.Items)
	}
	return needs
}

// causesShown keeps status on one screen.
const causesShown = 3

// causesOf are the largest causes of a service's dead letters, a line each.
func causesOf(service string, groups []api.DeadLetterGroup) (lines string) {
	n := 0
	for _, group := range groups { // the largest come first
		if group.Service != service {
			continue
		}
		if n++; n > causesShown {
			continue
		}
		lines += fmt.Sprintf("\n  %d × %s %s: %s", group.Count, group.Type, group.Code, cell(group.Detail, 100))
		if group.HeldBehind > 0 {
			lines += fmt.Sprintf(" (%d events wait behind)", group.HeldBehind)
		}
	}
	if n > causesShown {
		lines += fmt.Sprintf("\n  and %d more: viscount dead-letters groups --service %s", n-causesShown, service)
	}
	return lines
}

func printNeeds(out io.Writer, needs []need) error {
	if len(needs) == 0 {
		_, err := fmt.Fprintln(out, "events flow; no person is needed")
		return err
	}
	fmt.Fprintln(out, "a person is needed:")
	for _, n := range needs {
		fmt.Fprintln(out, "✗ "+n.what)
		if n.next != "" {
			fmt.Fprintln(out, "  next: "+n.next)
		}
	}
	return &exitError{code: exitNo}
}

func printStatus(out io.Writer, status api.Status) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "SERVICE\tAPPLIED\tIGNORED\tDUPLICATES\tINVALID\tIN FLIGHT\tLAG\tWAITING\tRETRYING\tDEAD\tHELD KEYS\tOUTBOX\tOLDEST\t")
	for _, s := range status.Services {
		name := s.Service
		if s.Paused {
			name += " (paused)"
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%.1fs\t\n", name, s.Applied, s.Ignored, s.Duplicates, s.Invalid, s.InFlight, s.LagEvents,
			s.Waiting, s.Retrying, s.Dead, s.HeldKeys, s.OutboxPending, s.OutboxOldest)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nprofile %s: ", status.Profile)
	return err
}

func newTraceCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "trace ID", Short: "The events around an event, correlation or business id, and who handled them", Args: takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var trace api.Trace
			if err := g.client().get(cmd.Context(), "/trace/"+url.PathEscape(args[0]), &trace); err != nil {
				return err
			}
			if g.Output == "json" {
				return printJSON(cmd.OutOrStdout(), trace)
			}
			return printTrace(cmd.OutOrStdout(), trace)
		},
	}
}

func printTrace(out io.Writer, trace api.Trace) error {
	if trace.CorrelationID != "" {
		fmt.Fprintf(out, "correlation %s\n\n", trace.CorrelationID)
	}
	for _, e := range trace.Events {
		printTraceEvent(out, e, "")
	}
	for _, a := range trace.Awaited {
		fmt.Fprintf(out, "\nawaited: %s for %s %s (%s)", a.Service, a.EventType, a.EventID, a.Reason)
	}
	for _, u := range trace.Unreachable {
		fmt.Fprintf(out, "\nincomplete: %s", u)
	}
	_, err := fmt.Fprintln(out)
	return err
}

func printTraceEvent(out io.Writer, e *api.TraceEvent, indent string) {
	var handled []string
	for _, d := range e.Deliveries {
		text := d.Service + " " + d.State
		if d.Reason != "" {
			text += " (" + d.Reason + ")"
		}
		handled = append(handled, text)
	}
	fmt.Fprintf(out, "%s%s %s %s\n", indent, e.Timestamp.Format("15:04:05.000"), e.EventType, e.EventID)
	if len(handled) > 0 {
		fmt.Fprintf(out, "%s    → %s\n", indent, strings.Join(handled, ", "))
	}
	for _, child := range e.Children {
		printTraceEvent(out, child, indent+"  ")
	}
}
