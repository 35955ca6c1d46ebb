package notifications_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/notifications"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/store/postgrestest"
)

func TestErasedCustomersLeaveNoNameAndNoAddress(t *testing.T) {
	f := newKit(t)
	c := ada
	c.Quiet = notifications.QuietHours{From: "11:00", To: "14:00", Zone: "UTC"}
	c.Webhook = ""
	f.put(c)
	f.Receive(created("order_1"))
	f.post.down = errors.New("no route to host") // a dead job holds the address
	f.Advance(2 * time.Hour)
	f.Receive(validated("order_1"))
	f.Do(func(ctx context.Context, tx *store.Tx) error { return f.s.Erase(ctx, tx, "cust_1") })
	require.Len(t, f.post.forgotten, 2)
	for _, m := range f.list(notifications.Filter{}) {
		require.Equal(t, notifications.Erased, m.Status)
	}
	f.Advance(10 * time.Minute) // they are forgotten a second time
	require.Len(t, f.post.forgotten, 4)
	f.View(func(ctx context.Context, r store.Reader) error {
		for _, table := range []string{"contacts", "watches", "jobs"} {
			n, _, err := store.One(ctx, r, func(s store.Scanner) (n int, err error) { return n, s.Scan(&n) }, "SELECT COUNT(*) FROM "+table)
			require.NoError(t, err)
			require.Zero(t, n, table)
		}
		return nil
	})
	f.post.down = nil
	f.Receive(cancelled("order_1", 0))
	require.Empty(t, f.post.mails)
	f.WantIdempotent()
}

// TestAMailThatIsBeingWrittenIsForgottenToo erases while the mailer has the letter in hand: it puts the file in place after it was
// asked to remove it.
func TestAMailThatIsBeingWrittenIsForgottenToo(t *testing.T) {
	f := newKit(t)
	f.put(ada)
	f.post.during = func() {
		f.Do(func(ctx context.Context, tx *store.Tx) error { return f.s.Erase(ctx, tx, "cust_1") })
		require.Len(t, f.post.forgotten, 1)
	}
	f.Receive(created("order_1"))
	require.Len(t, f.post.kept, 1)
	f.Advance(10 * time.Minute)
	require.Empty(t, f.post.kept)
}

// TestAnOrderBesideAnErasureTakesNoAddressAlong has one process erase a customer's data while another tells him of an order. The
// other must wait, and then finds nobody.
func TestAnOrderBesideAnErasureTakesNoAddressAlong(t *testing.T) {
	url := postgrestest.Database(t)
	open := func() *store.Store {
		o := store.Options{Service: "test", Catalogue: events.Platform(), Migrations: notifications.Migrations, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
		o.Postgres.URL = url
		st, err := store.Open(t.Context(), o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, st.Close()) })
		return st
	}
	erasing, telling := open(), open()
	s := &notifications.Service{Mail: &post{}}
	require.NoError(t, telling.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := s.PutContact(ctx, tx, notifications.Contact{CustomerID: "cust_1", Name: "Ada", Email: "ada@example.org"})
		return err
	}))
	order := events.Event[events.OrderCreated]{Envelope: events.Envelope{EventID: uuid.Must(uuid.NewV7()), EventType: "order.created", Timestamp: time.Now()}, Data: created("order_1")}
	told := make(chan error, 1)
	require.NoError(t, erasing.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		if err := s.Erase(ctx, tx, "cust_1"); err != nil {
			return err
		}
		go func() {
			told <- telling.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error { return s.TellCreated(ctx, tx, order) })
		}()
		for waits := 0; waits == 0 && len(told) == 0; time.Sleep(time.Millisecond) {
			err := tx.QueryRow(ctx, "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").Scan(&waits)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, <-told)
	require.NoError(t, erasing.View(t.Context(), func(ctx context.Context, r store.Reader) error {
		jobs, _, err := store.One(ctx, r, func(s store.Scanner) (n int, err error) { return n, s.Scan(&n) }, "SELECT count(*) FROM jobs WHERE kind = $1", notifications.SendJob)
		require.Zero(t, jobs, "a letter with the name and the address")
		all, listed := s.List(ctx, r, notifications.Filter{Limit: 10})
		require.Len(t, all, 1)
		require.Equal(t, notifications.Skipped, all[0].Status)
		return errors.Join(err, listed)
	}))
}
