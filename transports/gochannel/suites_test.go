package gochannel_test

import (
	"context"
	"testing"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/gochannel"
	"github.com/first-viscount/viscount/transports/transporttest"
)

// Watermill's suite publishes before it subscribes and never waits for a consumer; ours runs the driver as it is.
func TestSuites(t *testing.T) {
	noWaiting := gochannel.Driver
	noWaiting.Open = func(_ context.Context, o driver.Options) (driver.Transport, error) { return gochannel.New(o, 0), nil }
	t.Run("watermill", func(t *testing.T) {
		transporttest.RunWatermill(t, transporttest.Setup{Driver: noWaiting, Config: config.Transport{Driver: "gochannel"}})
	})
	t.Run("viscount", func(t *testing.T) {
		transporttest.RunViscount(t, transporttest.Setup{Driver: gochannel.Driver, Config: config.Transport{Driver: "gochannel"}})
	})
}
