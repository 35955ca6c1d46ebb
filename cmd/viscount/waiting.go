package main

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

func newWaitingCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "waiting", Short: "Events that wait, and for what"}
	var service, eventType, code, key, state string
	var limit int
	list := &cobra.Command{
		Use: "list", Short: "List events that wait or will be tried again by themselves, the longest first", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmp.Or(oneOf("code", code, router.WaitingCodes()), oneOf("state", state, []string{store.Waiting.String(), store.Retrying.String()})); err != nil {
				return err
			}
			query := url.Values{}
			for name, value := range map[string]string{"service": service, "type": eventType, "code": code, "key": key, "state": state} {
				if value != "" {
					query.Set(name, value)
				}
			}
			found, err := readList[api.WaitingEvent](cmd.Context(), g.client(), "/waiting", query, max(limit, 1))
			if err != nil {
				return err
			}
			if g.Output == "json" {
				err = printJSON(cmd.OutOrStdout(), found)
			} else if len(found.Items) > 0 {
				err = printWaiting(cmd.OutOrStdout(), found.Items)
			}
			return cmp.Or(err, finish(cmd, found, "nothing waits"))
		},
	}
	flags := list.Flags()
	flags.StringVar(&service, "service", "", "of this service")
	flags.StringVar(&eventType, "type", "", "of this event type")
	flags.StringVar(&code, "code", "", "for this reason: key_held, behind, follows, paused, circuit, or the code of the failure that is tried again")
	flags.StringVar(&key, "key", "", "of this ordering key")
	flags.StringVar(&state, "state", "", "waiting or retrying")
	flags.IntVar(&limit, "limit", 50, "events to list at most")
	cmd.AddCommand(list)
	return cmd
}

func printWaiting(out io.Writer, waiting []api.WaitingEvent) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVICE\tSINCE\tTYPE\tKEY\tSTATE\tWHY\tUNTIL")
	for _, w := range waiting {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", w.Service, ago(w.Since), w.EventType, cell(w.Key, 40), w.State, cell(waitReason(w), 80), waitEnd(w))
	}
	return table.Flush()
}

// waitReason says in words why an event waits.
func waitReason(w api.WaitingEvent) string {
	switch {
	case w.State == "retrying":
		return w.Code + ": " + w.Detail
	case w.HeldBy != "":
		return "behind the dead letter " + w.HeldBy
	case w.Awaits != "":
		return "for " + w.Awaits
	}
	return waitWords[w.Code]
}

var waitWords = map[string]string{
	store.WaitHeld: "behind a failed event of its key", store.WaitBehind: "behind an earlier event of its key", store.WaitFollows: "for its predecessor",
	store.WaitPaused: "the consumer is paused", store.WaitCircuit: "the consumer's circuit is open",
}

func waitEnd(w api.WaitingEvent) string {
	if w.Due == nil {
		return "-"
	}
	return "in " + max(time.Until(*w.Due), 0).Round(time.Second).String()
}

// newPauseCommand is pause or resume.
func newPauseCommand(g *globals, name, short string) *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: name + " SERVICE", Short: short, Args: takes("SERVICE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return &exitError{code: exitUsage, err: errorf("--reason is required: it is kept in the audit")}
			}
			body, err := json.Marshal(map[string]string{"reason": reason})
			if err != nil {
				return err
			}
			var answer struct {
				Service string `json:"service"`
				Paused  bool   `json:"paused"`
			}
			if err := g.client().post(cmd.Context(), "/consumers/"+url.PathEscape(args[0])+"/"+name, "application/json", body, &answer); err != nil {
				return err
			}
			if g.Output == "json" {
				return printJSON(cmd.OutOrStdout(), answer)
			}
			words := map[bool]string{true: "is paused: what arrives is stored", false: "handles events again, and what waited"}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", answer.Service, words[answer.Paused])
			return err
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the audit")
	return cmd
}
