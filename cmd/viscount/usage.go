package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// takes names the arguments of a command: one in brackets may be left out, one with "…" may be repeated.
func takes(names ...string) cobra.PositionalArgs {
	least, most := 0, len(names)
	for _, name := range names {
		if !strings.HasPrefix(name, "[") {
			least++
		}
		if strings.Contains(name, "…") {
			most = math.MaxInt
		}
	}
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return misused(cmd, fmt.Errorf("%s is missing", names[len(args)]))
		case len(args) > most:
			return misused(cmd, fmt.Errorf("%q is one argument too many", args[most]))
		}
		return nil
	}
}

// misused is a usage error with the line that shows how it is meant.
func misused(cmd *cobra.Command, err error) error {
	return &exitError{code: exitUsage, err: fmt.Errorf("%w\nusage: %s (%s --help says more)", err, cmd.UseLine(), cmd.CommandPath())}
}

// oneOf refuses a value of a flag that can match nothing: an empty list would say that all is well.
func oneOf(flag, value string, words []string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	return &exitError{code: exitUsage, err: fmt.Errorf("--%s %q: must be one of %s", flag, value, strings.Join(words, ", "))}
}

// refuseUnknown lets commands that only hold others refuse a word that is none of them.
func refuseUnknown(holders []*cobra.Command) {
	for _, cmd := range holders {
		if cmd.Runnable() || !cmd.HasSubCommands() {
			continue
		}
		cmd.DisableFlagsInUseLine, cmd.SuggestionsMinimumDistance = true, 2
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				err = fmt.Errorf("%w; did you mean %s?", err, strings.Join(near, " or "))
			}
			return &exitError{code: exitUsage, err: fmt.Errorf("%w\n%s --help lists the commands", err, cmd.CommandPath())}
		}
	}
}
