// Command viscount runs the platform and talks to it. This file joins the commands; each has a file of its own.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// version is set when the binary is built.
var version = "development"

func main() {
	err := newRoot().Execute()
	var answer *exitError
	switch {
	case err == nil:
	case errors.As(err, &answer):
		if answer.err != nil {
			fmt.Fprintln(os.Stderr, "viscount:", answer.err)
		}
		os.Exit(answer.code)
	default:
		fmt.Fprintln(os.Stderr, "viscount:", err)
		fmt.Fprintln(os.Stderr, "viscount --help lists the commands")
		os.Exit(exitUsage)
	}
}

func newRoot() *cobra.Command {
	g := &globals{}
	root := &cobra.Command{
		Use: "viscount", Short: "The event backbone of First Viscount", SilenceUsage: true, SilenceErrors: true, Version: version,
	}
	g.bind(root)
	root.AddCommand(newServeCommand(g), newEventsCommand(g), newContractsCommand(g), newConfigCommand(g), newStatusCommand(g), newTraceCommand(g), newAuditCommand(g), newSimulateCommand(g), newTopicsCommand(g), newMigrateCommand(g), newDoctorCommand(g), newRebuildCommand(g), newTokenCommand(g), newVersionCommand(g))
	root.AddCommand(newDeadLettersCommand(g), newWaitingCommand(g),
		newPauseCommand(g, "pause", "Store what arrives for a service instead of handling it, and start no jobs"), newPauseCommand(g, "resume", "Handle again what arrives, and what waited"))
	root.SetFlagErrorFunc(misused)
	refuseUnknown(root.Commands())
	return root
}
