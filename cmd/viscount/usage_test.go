package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestBadUsageSaysWhatIsMeant(t *testing.T) {
	for line, want := range map[string]string{
		"rebuild":                         "SERVICE is missing\nusage: viscount rebuild SERVICE [flags]",
		"rebuild search orders":           `"orders" is one argument too many` + "\nusage: viscount rebuild SERVICE [flags]",
		"events validate":                 "FILE…|- is missing\nusage: viscount events validate FILE…|- [flags]",
		"contracts diff a b c":            `"c" is one argument too many` + "\nusage: viscount contracts diff A [B] [flags]",
		"status everything":               `"everything" is one argument too many` + "\nusage: viscount status [flags]",
		"status --bogus":                  "unknown flag: --bogus\nusage: viscount status [flags]",
		"events vaildate":                 `unknown command "vaildate" for "viscount events"; did you mean validate?` + "\nviscount events --help",
		"stauts":                          `unknown command "stauts" for "viscount"`,
		"status --url 127.0.0.1:48100":    "write http://127.0.0.1:48100",
		"simulate --url localhost:48100":  "write http://localhost:48100",
		"events tail --url ftp://x:48100": "write http://x:48100",
	} {
		_, problem, code := run(t, "", strings.Fields(line)...)
		require.Equal(t, exitUsage, code, line)
		require.Contains(t, problem, want, line)
	}
}

// Every command says what it takes; one without would take anything.
func TestEveryCommandNamesItsArguments(t *testing.T) {
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			look(sub)
		}
		if !cmd.HasSubCommands() {
			require.NotNil(t, cmd.Args, cmd.CommandPath())
		}
	}
	look(newRoot())
}

func TestSimulateWithoutAServerNamesTheRemedy(t *testing.T) {
	root := newRoot()
	var told strings.Builder
	root.SetErr(&told)
	root.SetArgs([]string{"simulate", "--orders", "1", "--settle-timeout", "1ms", "--url", "http://127.0.0.1:1"})
	require.Error(t, root.ExecuteContext(t.Context()))
	require.Contains(t, told.String(), "is it running? viscount serve")
}
