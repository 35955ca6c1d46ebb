package app

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
)

// note is an event with personal data that a test's contract keeps for so long.
type note struct {
	CustomerID string `json:"customer_id" class:"subject"`
	Text       string `json:"text" class:"personal"`
}

func (note) Contract() events.Contract {
	return events.Contract{Type: "note.taken", Version: "1.0", Key: "customer_id", Publisher: "note-service", Retention: events.Unlimited, When: "Never."}
}

func (note) Validate() error { return nil }

func TestWhenABrokersCopiesEnd(t *testing.T) {
	const created = " keeps what it carried of order.created for at most "
	unlimited, err := events.Platform().With(events.Define[note]())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		transport, store string
		catalogue        *events.Catalogue
		kept             time.Duration
		notes            []string
	}{
		"gochannel keeps none":                {"gochannel", "sqlite", events.Platform(), 0, nil},
		"kafka as long as the contract says":  {"kafka", "sqlite", events.Platform(), 400 * events.Day, []string{"The transport kafka" + created + "400 days."}},
		"PostgreSQL keeps old rows, too":      {"sql", "postgres", events.Platform(), 400 * events.Day, []string{"The transport sql" + created + "400 days.", "PostgreSQL keeps overwritten rows"}},
		"PostgreSQL without a broker":         {"gochannel", "postgres", events.Platform(), 0, []string{"PostgreSQL keeps overwritten rows"}},
		"Pub/Sub at most 31 days":             {"googlecloud", "sqlite", events.Platform(), 31 * events.Day, []string{"The transport googlecloud" + created + "31 days."}},
		"what has no limit is no date":        {"kafka", "sqlite", unlimited, 400 * events.Day, []string{"of note.taken without a limit: remove the records there", created}},
		"unlimited is 31 days on Pub/Sub too": {"googlecloud", "sqlite", unlimited, 31 * events.Day, []string{"of note.taken for at most 31 days", created}},
	} {
		t.Run(name, func(t *testing.T) {
			got := copiesOf(config.Config{Transport: config.Transport{Driver: c.transport}, Store: config.Store{Driver: c.store}}, c.catalogue)
			require.Equal(t, c.kept, got.Kept)
			require.Len(t, got.Notes, len(c.notes))
			for _, note := range c.notes {
				require.Contains(t, strings.Join(got.Notes, "\n"), note)
			}
		})
	}
}
