package app_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
)

// What a configuration needs is compared with what its driver declares, whatever the driver's name.
func TestAPromiseThatTheDriverDoesNotKeepIsRefused(t *testing.T) {
	opened := errors.New("opened")
	for name, c := range map[string]struct {
		change func(c *config.Config)
		says   string // empty: the driver is opened
	}{
		"everything in one process": {func(*config.Config) {}, ""},
		"every service by name":     {func(c *config.Config) { c.Services = app.ServiceNames() }, ""},
		"some services":             {func(c *config.Config) { c.Services = []string{"orders", "inventory"} }, "services: orders,inventory: "},
		"peers":                     {func(c *config.Config) { c.HTTP.Peers = map[string][]string{"orders": {"http://orders:8080"}} }, "http.peers: "},
	} {
		for _, between := range []bool{false, true} {
			loaded, err := config.Load(config.Source{Flags: map[string]string{"store.sqlite.dir": t.TempDir(), "http.listen": "127.0.0.1:0"}})
			require.NoError(t, err)
			c.change(&loaded.Config)
			paper := driver.Driver{Name: "paper", Capabilities: driver.Capabilities{BetweenProcesses: between},
				Open: func(context.Context, driver.Options) (driver.Transport, error) { return nil, opened }}
			_, err = app.Start(t.Context(), app.Options{Config: loaded.Config, Driver: paper, Platform: true})
			if c.says == "" || between {
				require.ErrorIs(t, err, opened, name)
				continue
			}
			require.ErrorIs(t, err, app.ErrConfiguration, name)
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "the transport paper does not promise that events reach other processes")
		}
	}
}
