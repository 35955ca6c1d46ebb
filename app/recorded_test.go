package app_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/store/postgrestest"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
	transportsql "github.com/first-viscount/viscount/transports/sql"
)

// brokered are the transports whose topics keep recorded events: how a process runs on one, and how another team publishes to it.
var brokered = map[string]func(t *testing.T) (change func(*app.Options), publish func(topic string, payload []byte)){
	"kafka": func(t *testing.T) (func(*app.Options), func(string, []byte)) {
		brokers, _ := kafkatest.Brokers(t)
		kafkatest.Reset(t, brokers)
		client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
		require.NoError(t, err)
		t.Cleanup(client.Close)
		return func(o *app.Options) {
				o.Driver, o.Config.Transport.Driver, o.Config.Transport.Kafka.Brokers = kafka.Driver, "kafka", brokers
				o.Config.Transport.Kafka.TLS.Enabled = false
				o.Config.Transport.Kafka.Topics.Provision, o.Config.Transport.Kafka.Topics.Partitions, o.Config.Transport.Kafka.Topics.Replication = true, 3, 1
			}, func(topic string, payload []byte) {
				require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: payload}).FirstErr())
			}
	},
	"sql": func(t *testing.T) (func(*app.Options), func(string, []byte)) {
		url := postgrestest.Database(t)
		db, err := sql.Open("pgx", url)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return func(o *app.Options) {
				o.Driver, o.Config.Transport.Driver, o.Config.Transport.SQL.URL = transportsql.Driver, "sql", url
			}, func(topic string, payload []byte) {
				var table string
				require.NoError(t, db.QueryRowContext(t.Context(), "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'transport' AND obj_description(c.oid, 'pg_class') = $1", topic).Scan(&table))
				_, err := db.ExecContext(t.Context(), "INSERT INTO transport."+table+" (payload) VALUES ($1)", payload)
				require.NoError(t, err)
			}
	},
}

func productCreated(t *testing.T, id uuid.UUID, product, name string) []byte {
	t.Helper()
	raw, err := events.Encode(events.Envelope{
		EventID: id, CorrelationID: "import", Timestamp: time.Now().UTC(), SourceService: events.CatalogService, EventVersion: "1.0", EventType: "product.created",
	}, events.ProductCreated{ProductID: product, Name: name, CategoryID: "things", Price: 100, IsActive: true})
	require.NoError(t, err)
	return raw
}

func forget(t *testing.T, s *router.Service, statement string) {
	t.Helper()
	require.NoError(t, s.Store().Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, statement)
		return err
	}))
}

// TestTopicsKeepRecordedEvents: where they do, what another team published straight to a topic reaches a rebuild, the stream and
// the recorded events like what came through an outbox, and no outbox is needed for it.
func TestTopicsKeepRecordedEvents(t *testing.T) {
	for name, prepare := range brokered {
		t.Run(name, func(t *testing.T) {
			change, publish := prepare(t)
			a := start(t, t.TempDir(), change)
			defer stop(t, a)
			status, answer := call(t, a, http.MethodPost, "/products", `{"product_id":"prod_ours","name":"Kettle","category_id":"things","price":"3.50"}`)
			require.Equal(t, http.StatusCreated, status, "%v", answer)
			const topic = "product-catalog.product.created.v1"
			foreign := uuid.Must(uuid.NewV7())
			publish(topic, productCreated(t, foreign, "prod_foreign", "Kettle"))
			publish(topic, []byte("{not json"))
			for i := range 450 {
				publish(topic, productCreated(t, uuid.Must(uuid.NewV7()), fmt.Sprint("prod_", i), "Cup"))
			}
			total := func(q string) any {
				_, answer := call(t, a, http.MethodGet, "/search?q="+q, "")
				return answer["total"]
			}
			require.Eventually(t, func() bool { return total("kettle") == 2.0 && total("cup") == 450.0 }, time.Minute, 20*time.Millisecond)
			publish(topic, productCreated(t, foreign, "prod_conflict", "Kettle")) // another event with the same id, which comes second: keys are not in order of each other
			quiet(t, a)

			for _, s := range a.Services() {
				if s.Name() == "catalog" {
					forget(t, s, "DELETE FROM outbox")
				}
			}
			search := rebuildable(a)[2]
			require.Equal(t, "search", search.Name())
			tables := search.Consumer().Rebuild.Tables
			was := rowsOf(t, search.Store(), tables)
			forget(t, search, "DELETE FROM "+tables[0])
			answer = rebuild(t, a, "search", "{}")
			require.Equal(t, router.RebuildDone, answer["state"], "%v", answer)
			requireSame(t, was, rowsOf(t, search.Store(), tables), "rebuilt from topics")

			recorded, after := map[string]int{}, ""
			for items := 1; items > 0; {
				_, page := call(t, a, http.MethodGet, "/events/recorded?type=product.created&after="+after, "")
				items, after = len(page["items"].([]any)), page["next_after"].(string)
				require.LessOrEqual(t, items, 200)
				for _, item := range page["items"].([]any) {
					recorded[item.(map[string]any)["data"].(map[string]any)["product_id"].(string)]++
				}
			}
			require.Len(t, recorded, 453, "contract events only, of both who claim the id")
			for product, n := range recorded {
				if product == "prod_ours" { // the relay publishes at least once
					require.Positive(t, n)
					continue
				}
				require.Equal(t, 1, n, product)
			}

			all := 452 + recorded["prod_ours"]
			ids, data := streamOf(t, a, "type=product.created&from=BEGINNING", all)
			require.Contains(t, strings.Join(data, "\n"), "prod_foreign")
			publish(topic, productCreated(t, uuid.Must(uuid.NewV7()), "prod_last", "Pot"))
			_, data = streamOf(t, a, "type=product.created&last_event_id="+ids[all-1], 1)
			require.Contains(t, data[0], "prod_last")
		})
	}
}

// streamOf reads so many events of the stream.
func streamOf(t *testing.T, a *app.App, query string, n int) (ids, data []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL()+"/api/v1/events/stream?"+query, nil)
	require.NoError(t, err)
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for len(data) < n && lines.Scan() {
		if id, is := strings.CutPrefix(lines.Text(), "id: "); is {
			ids = append(ids, id)
		}
		if event, is := strings.CutPrefix(lines.Text(), "data: "); is {
			data = append(data, event)
		}
	}
	require.NoError(t, lines.Err())
	return ids, data
}
