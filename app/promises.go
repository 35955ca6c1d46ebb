package app

import (
	"fmt"
	"slices"
	"strings"
)

// Kept refuses a configuration that needs a promise which the driver does not declare. Start asks it before it opens anything.
func (o Options) Kept() error {
	if o.Driver.Capabilities.BetweenProcesses {
		return nil
	}
	c, setting := o.Config, ""
	switch {
	case o.Platform && slices.ContainsFunc(ServiceNames(), func(name string) bool { return !c.Runs(name) }):
		setting = "services: " + strings.Join(c.Services, ",") + ": some run elsewhere"
	case len(c.HTTP.Peers) > 0:
		setting = "http.peers: services run elsewhere"
	default:
		return nil
	}
	return fmt.Errorf("%w:\n%s, and the transport %s does not promise that events reach other processes; run all services here and without http.peers, or choose a transport.driver that does (kafka, sql, googlecloud)",
		ErrConfiguration, setting, o.Driver.Name)
}
