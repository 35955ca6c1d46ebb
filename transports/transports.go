// Package transports is the one list of transports. Only programs that want all of them import it, because it links every
// broker's client; a service elsewhere imports the driver that it uses.
package transports

import (
	"fmt"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/gochannel"
	"github.com/first-viscount/viscount/transports/googlecloud"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/sql"
)

// All are the transports that this version has.
func All() []driver.Driver {
	return []driver.Driver{gochannel.Driver, kafka.Driver, sql.Driver, googlecloud.Driver}
}

// Select finds a transport by its configured name.
func Select(name string) (driver.Driver, error) {
	for _, d := range All() {
		if d.Name == name {
			return d, nil
		}
	}
	return driver.Driver{}, fmt.Errorf("transport.driver: this version has no transport %q yet; use gochannel", name)
}
