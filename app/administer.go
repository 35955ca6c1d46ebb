package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/driver"
)

// ErrNoTopics says that a transport has no topics to administer.
var ErrNoTopics = errors.New("the transport has no topics outside of the process; --profile kafka, sql or googlecloud has")

// OpenAdmin opens the administration of every topic of the platform.
func OpenAdmin(ctx context.Context, c config.Config, d driver.Driver) (driver.Admin, error) {
	if d.Admin == nil {
		return nil, fmt.Errorf("transport.driver %s: %w", d.Name, ErrNoTopics)
	}
	all := routes(services(c))
	return d.Admin(ctx, transportOptions(c, all, all, events.Platform()))
}

// Migrations lists the migrations of the services that the configuration names; apply applies those that are missing, and
// lists them alone.
func Migrations(ctx context.Context, c config.Config, apply bool) ([]store.Migration, error) {
	do := store.Plan
	if apply {
		do = store.Migrate
	}
	var all []store.Migration
	for _, consumer := range routes(services(c)) {
		if !c.Runs(consumer.Name) {
			continue
		}
		list, err := do(ctx, storeOptions(c.Store, consumer))
		if err != nil {
			return all, fmt.Errorf("%s: %w", consumer.Name, err)
		}
		all = append(all, list...)
	}
	return all, nil
}
