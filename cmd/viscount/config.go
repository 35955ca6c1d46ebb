package main

import (
	"fmt"
	"runtime"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newConfigCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and show the configuration"}
	var check, show configFlags
	checkCommand := &cobra.Command{
		Use: "check", Short: "Report every problem of the configuration (exit 2 if there is one)", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := check.load(g)
			if err != nil {
				return err
			}
			if _, err := optionsOf(loaded.Config); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "the configuration is fine")
			return err
		},
	}
	printCommand := &cobra.Command{
		Use: "print", Short: "Show every value and where it comes from; secrets are redacted", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			loaded, err := show.load(g)
			if err != nil {
				return err
			}
			if g.Output == "json" {
				return printJSON(cmd.OutOrStdout(), loaded.Values)
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, v := range loaded.Values {
				fmt.Fprintf(table, "%s\t%s\t%s\n", v.Path, v.Value, v.Origin)
			}
			return table.Flush()
		},
	}
	check.bind(checkCommand)
	show.bind(printCommand)
	cmd.AddCommand(checkCommand, printCommand)
	return cmd
}

func newVersionCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if g.Output == "json" {
				return printJSON(cmd.OutOrStdout(), map[string]string{"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "viscount %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
