package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// deletion is an event as a service in another language writes it.
func deletion(id, product string) string {
	return fmt.Sprintf(`{"event_id": %q, "correlation_id": "import_1", "timestamp": "2026-01-15T12:00:00Z", "source_service": "product-catalog-service",
		"event_version": "1.0", "event_type": "product.deleted", "data": {"product_id": %q, "extra": [1, 2]}}`, id, product)
}

// guest connects as a role that may insert into outbox_external, and nothing else.
func guest(t *testing.T, owner string) *sql.DB {
	t.Helper()
	role := "guest_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	db := connect(t, owner)
	for _, statement := range []string{
		"CREATE ROLE " + role + " LOGIN", "GRANT USAGE ON SCHEMA test TO " + role, "GRANT INSERT ON test.outbox_external TO " + role,
	} {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		for _, statement := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
			if _, err := db.ExecContext(context.Background(), statement); err != nil {
				t.Error(err)
			}
		}
	})
	u, err := url.Parse(owner)
	require.NoError(t, err)
	u.User = url.User(role)
	return connect(t, u.String())
}

func insert(t *testing.T, db *sql.DB, event string) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), "INSERT INTO test.outbox_external (event) VALUES ($1)", event)
	require.NoError(t, err)
}

func fromCatalog(o *store.Options) { o.Source = events.CatalogService }

func TestEventsOfOtherLanguagesAreTakenOverInOrder(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	first, second := open(t, dir, fromCatalog), open(t, dir, fromCatalog)
	const keys, each = 4, 100 // more than a batch
	db := guest(t, postgresOf(t, dir))
	want := make([][]string, keys)
	var all sync.WaitGroup
	for key := range keys {
		all.Go(func() {
			for range each {
				id := uuid.NewString()
				want[key] = append(want[key], id)
				insert(t, db, deletion(id, fmt.Sprint("prod_", key)))
			}
		})
	}
	all.Wait()
	status, err := first.Status(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, keys*each, status.OutboxPending, "what nobody has taken over waits in sight")
	var mu sync.Mutex
	got, count := map[string][]string{}, 0
	p := newTransport(func(_ int64, rows []store.Row) error {
		mu.Lock()
		defer mu.Unlock()
		for _, row := range rows {
			got[row.Key] = append(got[row.Key], row.EventID.String())
			count++
			if int(row.Sequence) != len(got[row.Key]) {
				t.Errorf("event %d of %s has number %d", len(got[row.Key]), row.Key, row.Sequence)
			}
		}
		return nil
	})
	defer relay(t, first, p)() // two instances, one of which leads
	defer relay(t, second, p)()
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return count >= keys*each
	}, 20*time.Second, 10*time.Millisecond)
	for key := range keys {
		require.Equal(t, want[key], got[fmt.Sprint("prod_", key)], "in the order of insertion")
	}
	left := 0
	require.NoError(t, connect(t, postgresOf(t, dir)).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM test.outbox_external").Scan(&left))
	require.Zero(t, left)
}

func TestARefusedEventOfAnotherLanguageHoldsUpNothingAndIsSeen(t *testing.T) {
	onlyPostgres(t)
	dir := t.TempDir()
	st, p := open(t, dir, fromCatalog), newTransport(nil)
	defer relay(t, st, p)()
	db, owner := guest(t, postgresOf(t, dir)), connect(t, postgresOf(t, dir))
	id := uuid.NewString()
	wrong := map[string]string{ // event → what its row says
		strings.Replace(deletion(uuid.NewString(), "prod_1"), `"product_id"`, `"produkt_id"`, 1):        "missing_field /data/product_id",
		strings.Replace(deletion(uuid.NewString(), "prod_1"), "product.deleted", "product.exploded", 1): "unknown_type /event_type",
		strings.Replace(deletion(id, "prod_1"), "[1, 2]", "[1, 3]", 1):                                  "id_conflict /event_id",
		`[]`: "not_object not_object: the message",
	}
	other, err := os.ReadFile("../events/testdata/fulfillment.failed.json")
	require.NoError(t, err)
	wrong[string(other)] = "wrong_publisher /source_service"
	insert(t, db, deletion(id, "prod_1"))
	require.Eventually(t, func() bool { return p.count() == 1 }, 10*time.Second, 10*time.Millisecond)
	for event := range wrong {
		insert(t, db, event)
	}
	insert(t, db, deletion(id, "prod_1")) // again: nothing to do
	insert(t, db, deletion(uuid.NewString(), "prod_1"))

	require.Eventually(t, func() bool { return p.count() == 2 }, 10*time.Second, 10*time.Millisecond)
	status, err := st.Status(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, len(wrong), status.OutboxRefused)
	rows, err := owner.QueryContext(t.Context(), "SELECT event, code, detail FROM test.outbox_external")
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	for rows.Next() {
		var event, code, detail string
		require.NoError(t, rows.Scan(&event, &code, &detail))
		require.Contains(t, code+" "+detail, wrong[event])
	}
	require.NoError(t, rows.Err())

	// mended by hand, it goes on its way
	_, err = owner.ExecContext(t.Context(), "UPDATE test.outbox_external SET event = $1, code = NULL WHERE code = 'missing_field'", deletion(uuid.NewString(), "prod_2"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.count() == 3 }, 10*time.Second, 10*time.Millisecond)

	// what is no JSON does not get in, and what was rolled back is not there
	_, err = db.ExecContext(t.Context(), "INSERT INTO test.outbox_external (event) VALUES ('{')")
	require.ErrorContains(t, err, "invalid input syntax for type json")
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO test.outbox_external (event) VALUES ($1)", deletion(uuid.NewString(), "prod_3"))
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())
	insert(t, db, deletion(uuid.NewString(), "prod_4"))
	require.Eventually(t, func() bool { return p.count() == 4 }, 10*time.Second, 10*time.Millisecond)
	require.Empty(t, p.taken["prod_3"])
	require.Equal(t, []int64{1, 2}, p.taken["prod_1"], "what was refused took no number")
}
