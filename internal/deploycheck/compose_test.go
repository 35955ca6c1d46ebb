package deploycheck

import (
	"path/filepath"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

func composed(t *testing.T) *types.Project {
	t.Helper()
	file, err := filepath.Abs(folder + "/compose.yaml")
	require.NoError(t, err)
	options, err := cli.NewProjectOptions([]string{file}, cli.WithoutEnvironmentResolution, cli.WithConsistency(true))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

// environment is what the container sees.
func environment(s types.ServiceConfig) map[string]string {
	env := map[string]string{}
	for name, value := range s.Environment {
		if value != nil {
			env[name] = *value
		}
	}
	return env
}

// compose.yaml is what compose takes, each process is locked up, and the program accepts its settings.
func TestCompose(t *testing.T) {
	project := composed(t)
	processes, jobs := 0, 0
	for name, s := range project.Services {
		env := environment(s)
		if env["VISCOUNT_PROFILE"] == "" {
			require.NotNil(t, s.HealthCheck, "%s: others wait for it", name)
			require.NotEmpty(t, s.Volumes, "%s keeps what it holds", name)
			continue
		}
		require.True(t, s.ReadOnly, name)
		require.Equal(t, nobody+":"+nobody, s.User, name)
		require.Equal(t, []string{"ALL"}, s.CapDrop, name)
		require.Contains(t, s.SecurityOpt, "no-new-privileges:true", name)
		mounted := []string{}
		for _, secret := range s.Secrets {
			require.Contains(t, project.Secrets, secret.Source, name)
			mounted = append(mounted, "/run/secrets/"+secret.Source)
		}
		accepts(t, env, mounted)
		if env["VISCOUNT_SERVICES"] == "" {
			jobs++
			require.Equal(t, "service_healthy", s.DependsOn["postgres"].Condition)
			continue
		}
		processes++
		require.Equal(t, name, env["VISCOUNT_SERVICES"], "a service's peers know it by its name")
		for _, job := range []string{"migrate", "topics"} {
			require.Equal(t, "service_completed_successfully", s.DependsOn[job].Condition, name)
		}
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "%s: the machine's own", name)
		}
	}
	require.Positive(t, processes)
	require.Equal(t, 2, jobs)
}
