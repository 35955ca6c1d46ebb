package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/store"
)

func newMigrateCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use: "migrate", Short: "Bring the services' databases to this version",
		Long: "Each migration works with the previous version's binary, so that migrations run before the new processes start. In production store.postgres.migrate is check: a process whose database lacks a migration does not start.\nSQLite files are opened by one process at a time: stop the server first. It applies what is pending when it starts.",
	}
	var flags configFlags
	run := func(apply bool) func(cmd *cobra.Command, _ []string) error {
		return func(cmd *cobra.Command, _ []string) error {
			loaded, err := flags.load(g)
			if err != nil {
				return err
			}
			list, err := app.Migrations(cmd.Context(), loaded.Config, apply)
			var held *store.HeldError
			switch {
			case errors.As(err, &held):
				return no(fmt.Errorf("%w\n%s", err, whileServing))
			case err != nil:
				return no(err)
			}
			return printMigrations(cmd.OutOrStdout(), g, list, apply)
		}
	}
	plan := &cobra.Command{Use: "plan", Short: "List every migration, applied or pending; changes nothing", Args: takes(), RunE: run(false)}
	apply := &cobra.Command{Use: "apply", Short: "Apply what is pending, under a lock", Args: takes(), RunE: run(true)}
	for _, sub := range []*cobra.Command{plan, apply} {
		flags.bind(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

func printMigrations(out io.Writer, g *globals, list []store.Migration, applied bool) error {
	if g.Output == "json" {
		return printJSON(out, append([]store.Migration{}, list...))
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "nothing is pending")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range list {
		when := "pending"
		switch {
		case applied:
			when = "applied now"
		case !m.Applied.IsZero():
			when = "applied " + m.Applied.Format(time.RFC3339)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", m.Service, m.Tables, m.Name, when)
	}
	return table.Flush()
}
