package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/api"
)

func newStatusCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Whether events flow, and where a person is needed (exit 1)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var status api.Status
			if err := g.client().get(cmd.Context(), "/status", &status); err != nil {
				return err
			}
			var err error
			if g.Output == "json" {
				err = printJSON(cmd.OutOrStdout(), status)
			} else {
				err = printStatus(cmd.OutOrStdout(), status)
			}
			if needs := needsPerson(status); err == nil && len(needs) > 0 {
				err = no(errors.New("a person is needed: " + strings.Join(needs, "; ")))
			}
			return err
		},
	}
}

// needsPerson lists what does not mend itself.
func needsPerson(status api.Status) (needs []string) {
	for _, s := range status.Services {
		if !s.Ready {
			needs = append(needs, s.Service+" is not ready")
		}
		if s.Dead > 0 {
			needs = append(needs, fmt.Sprintf("%s has %d dead letters", s.Service, s.Dead))
		}
		if s.OutboxRefused > 0 {
			needs = append(needs, fmt.Sprintf("%s has %d refused events in its table outbox_external (columns code and detail say why)", s.Service, s.OutboxRefused))
		}
		if s.Paused {
			needs = append(needs, s.Service+" is paused")
		}
	}
	return append(needs, status.Degraded...)
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
	_, err := fmt.Fprintf(out, "\nprofile %s\n", status.Profile)
	return err
}

func newTraceCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "trace ID", Short: "The events around an event, correlation or business id, and who handled them", Args: cobra.ExactArgs(1),
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
