package app_test

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/store/postgrestest"
)

// standingInTables searches every column of every table of a PostgreSQL database for a text, as text and as bytes, but for the
// topics of the transport sql, which are its broker's copies.
func standingInTables(t *testing.T, url, text string) (found []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema', 'transport')")
	require.NoError(t, err)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.NotEmpty(t, tables)
	for _, table := range tables {
		var n int
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM "+table+" AS row WHERE row::text LIKE '%' || $1 || '%' OR row::text LIKE '%' || $2 || '%'", text, hex.EncodeToString([]byte(text))).Scan(&n)
		require.NoError(t, err, table)
		if n > 0 {
			found = append(found, fmt.Sprintf("%s (%d)", table, n))
		}
	}
	return found
}

// TestErasureReachesEveryTableBesideABroker has a customer's data in contacts, orders, outboxes, mails that wait and dead
// letters of a platform whose broker keeps copies, and looks for it afterwards in every table.
func TestErasureReachesEveryTableBesideABroker(t *testing.T) {
	for name, prepare := range brokered {
		t.Run(name, func(t *testing.T) {
			change, publish := prepare(t)
			url := postgrestest.Database(t)
			dir := t.TempDir()
			a := start(t, dir, func(o *app.Options) {
				change(o)
				o.Config.Store.Driver, o.Config.Store.Postgres.URL, o.Config.Store.Postgres.Migrate = "postgres", url, "apply"
			})
			defer stop(t, a)
			status, answer := call(t, a, http.MethodPut, "/notifications/contacts/cust_1", `{"name":"Grace Hopper","email":"grace@example.org"}`)
			require.Equal(t, http.StatusOK, status, "%v", answer)
			order(t, a, "order_1") // at 1 Secret Street
			quiet(t, a)
			broken := strings.Replace(fmt.Sprintf(foreign, 1, 1, "2 Foreign Lane"), `"currency":"USD"`, `"currency":7`, 1)
			publish("order-management.order.created.v1", []byte(broken))
			secrets := []string{"1 Secret Street", "2 Foreign Lane", "Lovelace", "Grace Hopper", "grace@example.org"}
			for _, secret := range secrets {
				require.Eventually(t, func() bool { return len(standingInTables(t, url, secret)) > 0 }, 30*time.Second, 20*time.Millisecond, secret)
			}
			require.Eventually(t, func() bool { // at each of the three that hear it
				return strings.Contains(fmt.Sprint(standingInTables(t, url, "2 Foreign Lane")), "inventory.parked (1)") && len(standingInTables(t, url, "2 Foreign Lane")) == 3
			}, 30*time.Second, 20*time.Millisecond)

			before := time.Now()
			status, erased := call(t, a, http.MethodDelete, "/customers/cust_1/personal-data", "")
			require.Equal(t, http.StatusOK, status, "%v", erased)
			require.Equal(t, true, erased["complete"], "%v", erased)
			until, err := time.Parse(time.RFC3339, fmt.Sprint(erased["broker_copies_until"]))
			require.NoError(t, err, "%v", erased)
			require.WithinRange(t, until, before.Add(400*24*time.Hour-time.Second), time.Now().Add(400*24*time.Hour+time.Second), "the retention of order.created")
			require.Contains(t, fmt.Sprint(erased["notes"]), "The transport "+name+" keeps what it carried of order.created for at most 400 days")
			for _, secret := range secrets {
				require.Eventually(t, func() bool { return len(standingInTables(t, url, secret))+len(standing(t, dir, secret)) == 0 }, 30*time.Second, 50*time.Millisecond, secret)
			}
			t.Logf("%d names, addresses and streets, all found before and none after", len(secrets))
		})
	}
}
