package faults

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/internal/servertest"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/gochannel"
)

// The worker is a service that publishes orders and hears its own, in a process of its own: the customer of an order says
// what its handler does.
const (
	plain    = "plain"
	poison   = "poison"   // fails, and may be tried again
	hopeless = "hopeless" // fails for good
	killer   = "killer"   // ends the process
)

var workerTables = fstest.MapFS{"migrations/00001_worker.sql": {Data: []byte("-- +goose Up\nCREATE TABLE handled (id {{serial}}, order_id TEXT NOT NULL);\n-- +goose Down\nDROP TABLE handled;\n")}}

// work is the child's main.
func work() {
	loaded, err := config.Load(config.Source{Env: os.Environ(), Services: []string{"worker"}})
	if err == nil {
		err = app.Serve(context.Background(), app.Options{Config: loaded.Config, Driver: gochannel.Driver, Consumers: []router.Consumer{{
			Name: "worker", Source: events.OrdersService, Migrations: workerTables, Routes: []router.Route{router.On(handle)},
		}}})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func handle(ctx context.Context, tx *store.Tx, e events.Event[events.OrderCreated]) error {
	if _, err := tx.Exec(ctx, "INSERT INTO handled (order_id) VALUES ($1)", e.Data.OrderID); err != nil {
		return err
	}
	if pause, err := time.ParseDuration(os.Getenv("FAULTS_PAUSE")); err == nil {
		time.Sleep(pause)
	}
	switch e.Data.CustomerID {
	case poison, hopeless:
		if err := noteAttempt(e.Data.OrderID); err != nil {
			return err
		}
		err := errors.New("it is poisoned")
		if e.Data.CustomerID == hopeless {
			return store.Permanent(err)
		}
		return err
	case killer:
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			return err
		}
		select {}
	}
	return nil
}

// noteAttempt keeps a line per attempt where the test finds it.
func noteAttempt(order string) error {
	file, err := os.OpenFile(filepath.Join(os.Getenv("VISCOUNT_STORE_SQLITE_DIR"), "attempts"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%s %d\n", order, time.Now().UnixMilli())
	return errors.Join(err, file.Close())
}

func newWorker(t *testing.T, env ...string) *servertest.Server {
	s := servertest.New(t, append([]string{"FAULTS_WORKER=1"}, env...)...)
	s.Self = true
	return s
}

var home = events.Address{Street: "s", City: "c", Zip: "z", Country: "US"}

// orderEvent is an order.created of a customer.
func orderEvent(t testing.TB, order, customer string) []byte {
	raw, err := events.Encode(events.Envelope{
		EventID: uuid.Must(uuid.NewV7()), CorrelationID: "c", Timestamp: time.Now(), SourceService: events.OrdersService, EventVersion: "1.0", EventType: "order.created",
	}, events.OrderCreated{
		OrderID: order, CustomerID: customer, Currency: "USD", Status: "pending", ShippingAddress: home, BillingAddress: home,
		Items: []events.Item{{ProductID: "p", Quantity: 1, UnitPrice: 1, TotalPrice: 1}},
	})
	require.NoError(t, err)
	return raw
}

// publish sends events until the server has accepted them; a repetition is harmless.
func publish(t testing.TB, s *servertest.Server, batch ...[]byte) {
	t.Helper()
	body := bytes.Join(batch, []byte("\n"))
	for limit := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		response, err := http.Post(s.URL()+"/api/v1/events", "application/x-ndjson", bytes.NewReader(body))
		if err == nil {
			require.NoError(t, response.Body.Close())
			require.True(t, response.StatusCode == http.StatusAccepted || response.StatusCode >= 500, "%d", response.StatusCode)
			if response.StatusCode == http.StatusAccepted {
				return
			}
		}
		require.True(t, time.Now().Before(limit), "events are not accepted: %v", err)
	}
}

// publishAll sends n plain orders in batches.
func publishAll(t testing.TB, s *servertest.Server, prefix string, n, batch int) {
	t.Helper()
	for from := 0; from < n; from += batch {
		var lines [][]byte
		for i := from; i < min(from+batch, n); i++ {
			lines = append(lines, orderEvent(t, fmt.Sprintf("%s_%d", prefix, i), plain))
		}
		publish(t, s, lines...)
	}
}

// tally reads from the worker's file, when it has ended, how many orders were handled, and how many of those twice.
func tally(t *testing.T, s *servertest.Server) (distinct, doubled int64) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.Dir, "worker.db")+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	var all int64
	require.NoError(t, db.QueryRow("SELECT COUNT(*), COUNT(DISTINCT order_id) FROM handled").Scan(&all, &distinct))
	return distinct, all - distinct
}

// letters reads the codes of the worker's dead letters, when it has ended.
func letters(t *testing.T, s *servertest.Server) (codes []string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.Dir, "worker.db")+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.Query("SELECT code FROM parked WHERE state = $1 ORDER BY id", store.Dead)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var code string
		require.NoError(t, rows.Scan(&code))
		codes = append(codes, code)
	}
	require.NoError(t, rows.Err())
	return codes
}

// lettersOf counts the worker's dead letters, and the events that they are about, when it has ended.
func lettersOf(t *testing.T, s *servertest.Server) (all, events int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.Dir, "worker.db")+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow("SELECT COUNT(*), COUNT(DISTINCT event_id) FROM parked WHERE state = $1", store.Dead).Scan(&all, &events))
	return all, events
}

// parked counts the worker's events that wait, are tried again or are dead, when it has ended.
func parked(t *testing.T, s *servertest.Server) (n int64) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.Dir, "worker.db")+"?mode=ro")
	require.NoError(t, err)
	defer db.Close()
	require.NoError(t, db.QueryRow("SELECT COUNT(*) FROM parked").Scan(&n))
	return n
}

// attempts are the times at which poisoned orders were tried.
func attempts(t *testing.T, s *servertest.Server) (lines []string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.Dir, "attempts"))
	if os.IsNotExist(err) {
		return nil
	}
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(raw)), "\n")
}

// settle waits until the server has nothing in hand, and tells how long that took.
func settle(t *testing.T, s *servertest.Server, limit time.Duration) time.Duration {
	t.Helper()
	began := time.Now()
	var last servertest.Service
	require.Eventually(t, func() bool {
		now, err := s.Status()
		last = now
		return err == nil && now.Pending == 0 && now.InFlight == 0 && now.Waiting == 0 && now.Lag == 0
	}, limit, 20*time.Millisecond, "it does not settle: %+v", &last)
	return time.Since(began)
}
