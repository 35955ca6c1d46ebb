package app

import (
	"fmt"
	"time"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
)

// audience are the services that may hold a customer's data.
func (a *App) audience() []string {
	if a.options.Platform {
		return ServiceNames()
	}
	return nil
}

// longestOnPubSub is how long Google Pub/Sub can keep a message.
const longestOnPubSub = 31 * 24 * time.Hour

// copies tells what is kept of personal data where no erasure reaches: by the broker, and by PostgreSQL.
func (a *App) copies() api.Copies { return copiesOf(a.options.Config, a.catalogue) }

func copiesOf(c config.Config, catalogue *events.Catalogue) (kept api.Copies) {
	broker := c.Transport.Driver
	for _, d := range catalogue.All() {
		if !d.Personal() || broker == "gochannel" {
			continue
		}
		retention := d.Contract.Retention
		if broker == "googlecloud" && (retention == events.Unlimited || retention > longestOnPubSub) {
			retention = longestOnPubSub
		}
		if retention == events.Unlimited {
			kept.Notes = append(kept.Notes, fmt.Sprintf("The transport %s keeps what it carried of %s without a limit: remove the records there.", broker, d.Contract.Type))
			continue
		}
		kept.Kept = max(kept.Kept, retention)
		kept.Notes = append(kept.Notes, fmt.Sprintf("The transport %s keeps what it carried of %s for at most %d days. A service that reads such a copy again takes it for the duplicate that it is.",
			broker, d.Contract.Type, int(retention/events.Day)))
	}
	if c.Store.Driver == "postgres" {
		kept.Notes = append(kept.Notes, "PostgreSQL keeps overwritten rows until its next vacuum (VACUUM FULL for certain), and its write-ahead log and backups as long as it is told to.")
	}
	return kept
}
