package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports"
	"github.com/first-viscount/viscount/transports/driver"
)

// diagnosis is what doctor found, for programs.
type diagnosis struct {
	Check    string           `json:"check"`
	Fine     bool             `json:"fine"`
	Findings []driver.Finding `json:"findings,omitzero"`
}

func newDoctorCommand(g *globals) *cobra.Command {
	var flags configFlags
	var mend, yes bool
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look for what is wrong outside of the processes, and mend it with --mend", Args: takes(),
		Long: "Looks at the databases, their migrations, the transport, its topics, and what restoring a part of a database leaves behind: positions of consumers that are ahead of their topics, numbers that fell back. Exit 1 if something is wrong.\nOn SQLite (the profile local) stop the server first: only one process opens its files. A running one is asked by viscount status.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := flags.load(g)
			if err != nil {
				return err
			}
			var unasked *exitError // nobody is there to ask: that is told, after what was found
			list := examine(cmd.Context(), loaded.Config, mend, func(what string) error {
				err := confirm(cmd, yes, what)
				if answer := (*exitError)(nil); errors.As(err, &answer) && answer.code == exitUsage {
					unasked = answer
				}
				return err
			})
			err = printDiagnoses(cmd, g, list)
			if unasked != nil {
				return unasked
			}
			return err
		},
	}
	flags.bind(cmd)
	cmd.Flags().BoolVar(&mend, "mend", false, "mend what can be mended, after asking")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// examine makes the checks in the order in which one explains the next.
func examine(ctx context.Context, c config.Config, mend bool, ask func(what string) error) []diagnosis {
	list := []diagnosis{examineDatabases(ctx, c)}
	d, err := transports.Select(c.Transport.Driver)
	if err != nil {
		return append(list, problem("transport", err))
	}
	admin, err := app.OpenAdmin(ctx, c, d)
	switch {
	case errors.Is(err, app.ErrNoTopics):
		return append(list, diagnosis{Check: "transport " + d.Name, Fine: true})
	case err != nil:
		return append(list, problem("transport "+d.Name, err))
	}
	list = append(list, diagnosis{Check: "transport " + d.Name, Fine: true}, examineTopics(ctx, admin))
	found := diagnosis{Check: "positions of the consumers"}
	if found.Findings, err = admin.Doctor(ctx); err != nil {
		found = problem(found.Check, err)
	}
	if mend {
		found.Findings = mendAll(ctx, found.Findings, ask)
	}
	found.Fine = len(found.Findings) == 0
	if err := admin.Close(); err != nil {
		list = append(list, problem("transport "+d.Name, err))
	}
	return append(list, found)
}

func problem(check string, err error) diagnosis {
	return diagnosis{Check: check, Findings: []driver.Finding{{Problem: err.Error()}}}
}

// whileServing explains to whoever looks at SQLite files that a server has open.
const whileServing = "nothing is wrong if that server is meant to run: only one process opens a SQLite file. Stop it to look at its databases; viscount status asks it while it runs"

func examineDatabases(ctx context.Context, c config.Config) diagnosis {
	check := diagnosis{Check: "databases and their migrations"}
	list, err := app.Migrations(ctx, c, false)
	var held *store.HeldError
	switch {
	case errors.As(err, &held):
		check.Findings = []driver.Finding{{Problem: err.Error(), Remedy: whileServing}}
		return check
	case err != nil:
		return problem(check.Check, err)
	}
	atStart := c.Store.Driver == "sqlite" || c.Store.Postgres.Migrate == string(store.MigrateApply)
	for _, m := range list {
		if m.Applied.IsZero() && !atStart { // else a process applies it when it starts
			check.Findings = append(check.Findings, driver.Finding{Problem: fmt.Sprintf("%s lacks the migration %s", m.Service, m.Name), Remedy: "viscount migrate apply"})
		}
	}
	check.Fine = len(check.Findings) == 0
	return check
}

func examineTopics(ctx context.Context, admin driver.Admin) diagnosis {
	check := diagnosis{Check: "topics"}
	changes, err := admin.Plan(ctx)
	if err != nil {
		return problem(check.Check, err)
	}
	for _, change := range changes {
		remedy := "viscount topics plan, then apply"
		if change.Action == driver.Drift { // apply leaves it alone
			remedy = change.Remedy
		}
		check.Findings = append(check.Findings, driver.Finding{Problem: change.Action + " " + change.Topic + ": " + change.Detail, Remedy: remedy})
	}
	check.Fine = len(check.Findings) == 0
	return check
}

// mendAll mends what it may and returns the rest.
func mendAll(ctx context.Context, findings []driver.Finding, ask func(what string) error) []driver.Finding {
	var rest []driver.Finding
	for _, f := range findings {
		if f.Mend == nil || ask(f.Problem+"\n  "+f.Remedy+"?") != nil {
			rest = append(rest, f)
			continue
		}
		if err := f.Mend(ctx); err != nil {
			f.Problem += ": mending it failed: " + err.Error()
			rest = append(rest, f)
		}
	}
	return rest
}

func printDiagnoses(cmd *cobra.Command, g *globals, list []diagnosis) error {
	wrong := 0
	for _, d := range list {
		wrong += len(d.Findings)
	}
	if g.Output == "json" {
		if err := printJSON(cmd.OutOrStdout(), list); err != nil {
			return err
		}
	} else {
		for _, d := range list {
			mark := "✓"
			if !d.Fine {
				mark = "✗"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", mark, d.Check)
			for _, f := range d.Findings {
				fmt.Fprintf(cmd.OutOrStdout(), "    %s\n", f.Problem)
				if f.Remedy != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "    → %s\n", f.Remedy)
				}
			}
		}
	}
	if wrong > 0 {
		return no(errorf("%s", count(wrong, "finding")))
	}
	return nil
}
