package app_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
)

// read parses a file of deploy/.
func read(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile("../deploy/" + name)
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalWithOptions(text, into, yaml.AllowDuplicateMapKey()))
}

// named are the services in the value of VISCOUNT_HTTP_PEERS.
func named(peers string) (services []string) {
	for _, peer := range strings.Split(peers, ",") {
		service, _, _ := strings.Cut(strings.TrimSpace(peer), "=")
		services = append(services, service)
	}
	return services
}

// Whoever adds a service to the platform adds it to what is deployed: a line in compose.yaml, a folder of services/, and its
// address among the peers of both.
func TestEveryServiceIsDeployed(t *testing.T) {
	want := app.ServiceNames()
	var compose struct {
		Environment map[string]string `yaml:"x-environment"`
		Services    map[string]struct {
			Environment map[string]string `yaml:"environment"`
		} `yaml:"services"`
	}
	read(t, "compose.yaml", &compose)
	maps.DeleteFunc(compose.Services, func(_ string, s struct {
		Environment map[string]string `yaml:"environment"`
	}) bool {
		return s.Environment["VISCOUNT_SERVICES"] == ""
	})
	require.ElementsMatch(t, want, slices.Collect(maps.Keys(compose.Services)), "deploy/compose.yaml: services")
	require.ElementsMatch(t, want, named(compose.Environment["VISCOUNT_HTTP_PEERS"]), "deploy/compose.yaml: VISCOUNT_HTTP_PEERS")

	var services, service struct {
		Resources []string `yaml:"resources"`
		Suffix    string   `yaml:"nameSuffix"`
	}
	read(t, "kubernetes/services/kustomization.yaml", &services)
	require.ElementsMatch(t, want, services.Resources, "deploy/kubernetes/services/kustomization.yaml: resources")
	for _, name := range want {
		read(t, "kubernetes/services/"+name+"/kustomization.yaml", &service)
		require.Equal(t, "-"+name, service.Suffix)
	}
	settings, err := os.ReadFile("../deploy/kubernetes/platform/viscount.env")
	require.NoError(t, err)
	_, peers, _ := strings.Cut(string(settings), "VISCOUNT_HTTP_PEERS=")
	peers, _, _ = strings.Cut(peers, "\n")
	require.ElementsMatch(t, want, named(peers), "deploy/kubernetes/platform/viscount.env: VISCOUNT_HTTP_PEERS")
}
