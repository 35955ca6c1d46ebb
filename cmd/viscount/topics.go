package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports"
	"github.com/first-viscount/viscount/transports/driver"
)

func newTopicsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "topics", Short: "Keep the transport's topics as contracts and configuration say",
		Long: "Topics, their partitions, replication and retention, and the subscriptions of every consumer follow from the contracts and the configuration. plan shows what differs, apply mends it, list shows what there is.",
	}
	var flags configFlags
	plan := &cobra.Command{
		Use: "plan", Short: "Show what differs; changes nothing", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAdmin(cmd, g, &flags, func(ctx context.Context, admin driver.Admin, _ config.Config) error {
				changes, err := admin.Plan(ctx)
				if err != nil {
					return err
				}
				return printChanges(cmd.OutOrStdout(), g, changes)
			})
		},
	}
	var yes bool
	apply := &cobra.Command{
		Use: "apply", Short: "Create what is missing and set what differs (asks first, or --yes)", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAdmin(cmd, g, &flags, func(ctx context.Context, admin driver.Admin, _ config.Config) error {
				return applyTopics(ctx, cmd, g, admin, yes)
			})
		},
	}
	apply.Flags().BoolVar(&yes, "yes", false, "do not ask")
	list := &cobra.Command{
		Use: "list", Short: "Show the topics as they are", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withAdmin(cmd, g, &flags, func(ctx context.Context, admin driver.Admin, _ config.Config) error {
				states, err := admin.List(ctx)
				if err != nil {
					return err
				}
				return printTopics(cmd.OutOrStdout(), g, states)
			})
		},
	}
	for _, sub := range []*cobra.Command{plan, apply, list} {
		flags.bind(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

// withAdmin opens the administration of the configured transport.
func withAdmin(cmd *cobra.Command, g *globals, flags *configFlags, do func(ctx context.Context, admin driver.Admin, c config.Config) error) error {
	loaded, err := flags.load(g)
	if err != nil {
		return err
	}
	d, err := transports.Select(loaded.Config.Transport.Driver)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	admin, err := app.OpenAdmin(cmd.Context(), loaded.Config, d)
	if err != nil {
		return no(err)
	}
	if err := errors.Join(do(cmd.Context(), admin, loaded.Config), admin.Close()); err != nil {
		var answer *exitError
		if errors.As(err, &answer) {
			return err
		}
		return no(err)
	}
	return nil
}

func applyTopics(ctx context.Context, cmd *cobra.Command, g *globals, admin driver.Admin, yes bool) error {
	changes, err := admin.Plan(ctx)
	if err != nil {
		return err
	}
	if err := printChanges(cmd.OutOrStdout(), g, changes); err != nil {
		return err
	}
	todo := 0
	for _, change := range changes {
		if change.Action != driver.Drift {
			todo++
		}
	}
	if todo == 0 {
		return nil
	}
	if err := confirm(cmd, yes, fmt.Sprintf("make %s?", count(todo, "change"))); err != nil {
		return err
	}
	if err := admin.Apply(ctx, changes); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "made %s\n", count(todo, "change"))
	return nil
}

// confirm asks a person; without a terminal there is nobody to ask.
func confirm(cmd *cobra.Command, yes bool, question string) error {
	if yes {
		return nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return &exitError{code: exitUsage, err: errorf("nobody is at a terminal to say yes: add --yes")}
	}
	fmt.Fprint(cmd.ErrOrStderr(), question+" [y/N] ")
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n') // no answer is no
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return no(errorf("nothing was changed"))
	}
	return nil
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprint(n, " ", noun, "s")
}

func printChanges(out io.Writer, g *globals, changes []driver.Change) error {
	if g.Output == "json" {
		return printJSON(out, append([]driver.Change{}, changes...))
	}
	if len(changes) == 0 {
		_, err := fmt.Fprintln(out, "everything is as it should be")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range changes {
		if c.Remedy != "" {
			c.Detail += ": " + c.Remedy
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.Action, c.Topic, c.Detail)
	}
	return table.Flush()
}

func printTopics(out io.Writer, g *globals, states []driver.TopicState) error {
	if g.Output == "json" {
		return printJSON(out, states)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tPARTITIONS\tREPLICATION\tRETENTION\tEVENTS\tCONSUMERS")
	for _, s := range states {
		if !s.Exists {
			fmt.Fprintf(table, "%s\tmissing\t\t\t\t%s\n", s.Topic, strings.Join(s.Consumers, " "))
			continue
		}
		held := "-"
		if s.Events != driver.Untold {
			held = fmt.Sprint(s.Events)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Topic, number(s.Partitions), number(s.Replication), cmp.Or(s.Retention, "-"), held, strings.Join(s.Consumers, " "))
	}
	return table.Flush()
}

func number(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}
