package deploycheck

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/stretchr/testify/require"
)

// The container is the static program, run by nobody.
func TestContainerfile(t *testing.T) {
	file, err := os.Open(folder + "/Containerfile")
	require.NoError(t, err)
	defer file.Close()
	parsed, err := parser.Parse(file)
	require.NoError(t, err)
	require.Empty(t, parsed.Warnings)
	stages, _, err := instructions.Parse(parsed.AST, nil)
	require.NoError(t, err)
	require.Len(t, stages, 2)
	build, final := stages[0], stages[1]
	require.True(t, slices.ContainsFunc(commands[*instructions.RunCommand](build), func(run *instructions.RunCommand) bool {
		return strings.Contains(strings.Join(run.CmdLine, " "), "CGO_ENABLED=0 go build")
	}), "the program is static")
	for _, stage := range stages {
		image, tag, _ := strings.Cut(stage.BaseName, ":")
		require.Contains(t, image, "/", "the registry is named")
		require.NotContains(t, []string{"", "latest"}, tag, "%s: the version is named", image)
	}
	user := commands[*instructions.UserCommand](final)
	require.Len(t, user, 1)
	require.Equal(t, nobody+":"+nobody, user[0].User, "a number, so that Kubernetes knows that it is not root")
	entry := commands[*instructions.EntrypointCommand](final)
	require.Len(t, entry, 1)
	require.False(t, entry[0].PrependShell, "signals reach the program itself")
	require.Empty(t, commands[*instructions.RunCommand](final), "there is no shell in it")
	from := commands[*instructions.CopyCommand](final)
	require.Len(t, from, 1)
	require.Equal(t, build.Name, from[0].From)
	require.Equal(t, from[0].DestPath, entry[0].CmdLine[0])
}

func commands[T instructions.Command](stage instructions.Stage) (list []T) {
	for _, c := range stage.Commands {
		if one, is := c.(T); is {
			list = append(list, one)
		}
	}
	return list
}
