package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
)

func newContractsDiffCommand(g *globals) *cobra.Command {
	var title string
	cmd := &cobra.Command{
		Use: "diff A [B]", Short: "What changed between two states of the contracts", Args: takes("A", "[B]"),
		Long: "Compare the contracts of two states. A and B are folders (a checkout, or its contracts/schemas) or git refs; without B, this program's own contracts.",
		RunE: func(cmd *cobra.Command, args []string) error {
			_, changes, err := compare(cmd.Context(), args)
			switch {
			case err != nil:
				return &exitError{code: exitUsage, err: err}
			case title != "":
				fmt.Fprint(cmd.OutOrStdout(), contracts.Section(title, changes))
				return nil
			case g.Output == "json":
				return printJSON(cmd.OutOrStdout(), changes)
			}
			printDiff(cmd.OutOrStdout(), changes)
			return nil
		},
	}
	cmd.Flags().StringVar(&title, "changelog", "", "write a section of contracts/CHANGELOG.md under this title")
	return cmd
}

// compare loads the states: two that are named, or one and this program's. It gives the first and what changed since.
func compare(ctx context.Context, states []string) (contracts.Set, []contracts.Change, error) {
	before, err := contracts.Load(ctx, states[0])
	if err != nil {
		return nil, nil, err
	}
	after := contracts.Current(events.Platform())
	if len(states) > 1 {
		if after, err = contracts.Load(ctx, states[1]); err != nil {
			return nil, nil, err
		}
	}
	return before, contracts.Diff(before, after, time.Now()), nil
}

func printDiff(out io.Writer, changes []contracts.Change) {
	for _, c := range changes {
		mark := "✓"
		if c.Breaking {
			mark = "✗"
		}
		fmt.Fprintln(out, mark, c)
	}
	if len(changes) == 0 {
		fmt.Fprintln(out, "no contract changed")
	}
}

func newContractsCheckCommand(g *globals) *cobra.Command {
	var against string
	var files []string
	cmd := &cobra.Command{
		Use: "check [--against REF|FOLDER] [--events FILE]", Short: "Refuse changes of contracts that would break somebody", Args: takes(),
		Long: "Hold this program's contracts to the rules of evolution: against an earlier state (a git ref, or a folder with contracts/schemas), and by replaying recorded events. What is still there after its sunset is a warning. Exit 1 if somebody would break.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if against == "" && len(files) == 0 {
				return &exitError{code: exitUsage, err: errorf("say --against REF or FOLDER, --events FILE, or both")}
			}
			return checkContracts(cmd, g, against, files)
		},
	}
	cmd.Flags().StringVar(&against, "against", "", "git ref or folder of the state to compare with")
	cmd.Flags().StringArrayVar(&files, "events", nil, "file of recorded events (JSON, list or lines; - is stdin)")
	return cmd
}

// checked is the answer for programs.
type checked struct {
	Changes  []contracts.Change `json:"changes"`
	Refused  int                `json:"refused"`
	Warnings []contracts.Change `json:"warnings,omitzero"`
	Replay   *contracts.Replay  `json:"replay,omitzero"`
}

func checkContracts(cmd *cobra.Command, g *globals, against string, files []string) error {
	answer := checked{Changes: []contracts.Change{}, Warnings: contracts.Overdue(contracts.Current(events.Platform()), time.Now())}
	before, err := contracts.Released()
	if err != nil {
		return err
	}
	if against != "" {
		earlier, changes, err := compare(cmd.Context(), []string{against})
		switch {
		case errors.Is(err, contracts.ErrNothing):
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: nothing to compare with\n", err)
			against = ""
		case err != nil:
			return &exitError{code: exitUsage, err: err}
		default:
			before = earlier
		}
		answer.Changes = append(answer.Changes, changes...)
		answer.Refused = len(contracts.Refused(changes))
	}
	if len(files) > 0 {
		recorded, err := readEvents(cmd.InOrStdin(), files)
		if err != nil {
			return err
		}
		raws := make([][]byte, len(recorded))
		for i, e := range recorded {
			raws[i] = e.raw
		}
		replay := contracts.ReplayEvents(events.Platform(), before, raws)
		answer.Replay = &replay
	}
	if g.Output == "json" {
		if err := printJSON(cmd.OutOrStdout(), answer); err != nil {
			return err
		}
	} else {
		printChecked(cmd.OutOrStdout(), answer, against != "")
	}
	if answer.Refused > 0 || (answer.Replay != nil && answer.Replay.Broken > 0) {
		return &exitError{code: exitNo}
	}
	return nil
}

func printChecked(out io.Writer, answer checked, compared bool) {
	if compared {
		printDiff(out, answer.Changes)
		fmt.Fprintf(out, "%d changes, %d refused\n", len(answer.Changes), answer.Refused)
	}
	for _, c := range answer.Warnings {
		fmt.Fprintln(out, "!", c)
	}
	if answer.Replay == nil {
		return
	}
	fmt.Fprintf(out, "%d of %d events would break\n", answer.Replay.Broken, answer.Replay.Events)
	for _, of := range answer.Replay.ByType {
		fmt.Fprintf(out, "✗ %s: %d of %d, for %s\n", nameOf(of), of.Broken, of.Events, heardBy(of))
		for _, problem := range slices.Sorted(maps.Keys(of.Problems)) {
			fmt.Fprintf(out, "    %s (%d)\n", problem, of.Problems[problem])
		}
	}
}

// nameOf is the type and major version of what would break, as far as they could be read.
func nameOf(of contracts.Broken) string {
	switch {
	case of.Type == "":
		return "no event type"
	case of.Major == "":
		return of.Type
	}
	return of.Type + ".v" + of.Major
}

// heardBy are the consumers that would get dead letters, each with their number where it is not all that break.
func heardBy(of contracts.Broken) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(of.Consumers)) {
		text := name
		if n := of.Consumers[name]; n < of.Broken {
			text += fmt.Sprintf(" (%d)", n)
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		return "nobody that is known: --against an earlier state names the consumers of a contract that is gone"
	}
	return strings.Join(all, ", ")
}
