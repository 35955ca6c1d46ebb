package sql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/sql"
)

func options(t *testing.T) driver.Options {
	return driver.Options{Config: configured(t), Consumers: map[string][]string{"reader": {"a.v1"}}, Topics: []driver.Topic{{Name: "a.v1", Retention: time.Hour}}, KeysInFlight: 8}
}

func open(t *testing.T, o driver.Options) driver.Transport {
	t.Helper()
	tr, err := sql.Driver.Open(t.Context(), o)
	require.NoError(t, err)
	return tr
}

func publish(t *testing.T, tr driver.Transport, ids ...string) {
	t.Helper()
	for _, id := range ids {
		msg := message.NewMessage(id, []byte("{}"))
		msg.Metadata.Set(driver.KeyMetadata, "k")
		require.NoError(t, tr.Publisher().Publish("a.v1", msg))
	}
}

// receive acknowledges n messages and returns their ids.
func receive(t *testing.T, tr driver.Transport, n int) map[string]bool {
	t.Helper()
	sub, err := tr.Subscriber("reader")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	messages, err := sub.Subscribe(ctx, "a.v1")
	require.NoError(t, err)
	got := map[string]bool{}
	for len(got) < n {
		select {
		case msg := <-messages:
			got[msg.UUID] = true
			msg.Ack()
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d messages came: %v", len(got), n, got)
		}
	}
	return got
}

func execute(t *testing.T, o driver.Options, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), o.Config.SQL.URL)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), statement)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

// A topic that was restored from an older copy than its consumers' positions hides its next events; doctor finds it and mends
// it. So it does a table that came back without its sequence.
func TestDoctorFindsARestore(t *testing.T) {
	o := options(t)
	first := open(t, o)
	for i := range 20 {
		publish(t, first, fmt.Sprint("before ", i))
	}
	require.Len(t, receive(t, first, 20), 20)
	require.NoError(t, first.Drain(t.Context()))
	require.NoError(t, first.Close())

	var table string
	conn, err := pgx.Connect(t.Context(), o.Config.SQL.URL)
	require.NoError(t, err)
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'transport' AND tablename LIKE 't\_%'`).Scan(&table))
	require.NoError(t, conn.Close(t.Context()))
	execute(t, o, `DELETE FROM transport.`+table+` WHERE "offset" > 5; SELECT setval(pg_get_serial_sequence('transport.`+table+`', 'offset'), 3)`)

	admin, err := sql.Driver.Admin(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }()
	findings, err := admin.Doctor(t.Context())
	require.NoError(t, err)
	require.Len(t, findings, 2)
	require.Contains(t, findings[0].Problem, "a.v1 holds offset 5, but its numbers go on after 3")
	require.Contains(t, findings[1].Problem, "test-reader stands at offset 20 of a.v1, which ends at 5")
	for _, f := range findings {
		require.NoError(t, f.Mend(t.Context()))
	}
	findings, err = admin.Doctor(t.Context())
	require.NoError(t, err)
	require.Empty(t, findings)

	second := open(t, o)
	defer func() { require.NoError(t, second.Close()) }()
	publish(t, second, "after")
	require.Equal(t, map[string]bool{"after": true}, receive(t, second, 1))
}

// PostgreSQL cuts names at 63 bytes: topics that are alike up to there, or but for signs that a table's name cannot have, are
// tables of their own all the same.
func TestTopicsWithAlikeNamesAreTablesOfTheirOwn(t *testing.T) {
	o := options(t)
	long := strings.Repeat("order-management.", 5)
	topics := []string{long + "created.v1", long + "updated.v1", "a.v1", "a-v1"}
	o.Consumers, o.Topics = map[string][]string{"reader": topics}, nil
	for _, topic := range topics {
		o.Topics = append(o.Topics, driver.Topic{Name: topic})
	}
	tr := open(t, o)
	defer func() { require.NoError(t, tr.Close()) }()
	sub, err := tr.Subscriber("reader")
	require.NoError(t, err)
	arriving := map[string]<-chan *message.Message{}
	for _, topic := range topics {
		arriving[topic], err = sub.Subscribe(t.Context(), topic)
		require.NoError(t, err)
		for _, id := range []string{" 1", " 2"} {
			msg := message.NewMessage(topic+id, []byte("{}"))
			msg.Metadata.Set(driver.KeyMetadata, topic) // topics that share a key wait for each other
			require.NoError(t, tr.Publisher().Publish(topic, msg))
		}
	}
	for topic, messages := range arriving {
		for _, id := range []string{" 1", " 2"} {
			select {
			case msg := <-messages:
				msg.Ack()
				require.Equal(t, topic+id, msg.UUID)
			case <-time.After(30 * time.Second):
				t.Fatalf("nothing comes on %s", topic)
			}
		}
	}
	admin, err := sql.Driver.Admin(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }()
	states, err := admin.List(t.Context())
	require.NoError(t, err)
	for _, state := range states {
		require.EqualValues(t, 2, state.Events, state.Topic)
	}
}

// Offsets become visible in order, whoever inserts and however long a transaction stays open: what commits later comes later.
func TestALongTransactionHidesNothing(t *testing.T) {
	o := options(t)
	tr := open(t, o)
	defer func() { require.NoError(t, tr.Close()) }()
	publish(t, tr, "first")
	conn, err := pgx.Connect(t.Context(), o.Config.SQL.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	var table string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'transport' AND tablename LIKE 't\_%'`).Scan(&table))
	elsewhere, err := conn.Begin(t.Context()) // a long transaction that has an id, and nothing to do with events
	require.NoError(t, err)
	_, err = elsewhere.Exec(t.Context(), `CREATE TABLE other (x int)`)
	require.NoError(t, err)
	publish(t, tr, "second")
	require.Len(t, receive(t, tr, 2), 2, "another transaction stalls nothing")
	require.NoError(t, elsewhere.Rollback(t.Context()))

	foreign, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = foreign.Exec(t.Context(), `INSERT INTO transport.`+table+` (key, payload) VALUES ('k', '{}')`)
	require.NoError(t, err)
	published := make(chan struct{})
	go func() {
		defer close(published)
		msg := message.NewMessage("third", []byte("{}"))
		msg.Metadata.Set(driver.KeyMetadata, "k")
		if err := tr.Publisher().Publish("a.v1", msg); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-published:
		t.Fatal("a later offset became visible before an earlier one")
	case <-time.After(1500 * time.Millisecond): // longer than one attempt waits for the lock
	}
	require.NoError(t, foreign.Commit(t.Context()))
	<-published
	got := receive(t, tr, 2)
	require.True(t, got["third"] && got["a.v1/3"], "a row of a foreign program has no more than key and payload: %v", got)
}

// Rows leave when their retention is over and every consumer is done with them, and not before.
func TestRetention(t *testing.T) {
	o := options(t)
	tr := open(t, o)
	publish(t, tr, "a", "b", "c")
	receive(t, tr, 2)
	require.NoError(t, tr.Drain(t.Context()))
	require.NoError(t, tr.Close())
	conn, err := pgx.Connect(t.Context(), o.Config.SQL.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	var table string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'transport' AND tablename LIKE 't\_%'`).Scan(&table))
	execute(t, o, `UPDATE transport.`+table+` SET created_at = now() - interval '2 hours'`)
	left := func() (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM transport.`+table).Scan(&n))
		return n
	}
	again := open(t, o)
	require.Eventually(t, func() bool { return left() == 1 || left() == 0 }, 10*time.Second, 20*time.Millisecond, "what is done and old goes")
	require.Equal(t, map[string]bool{"c": true}, receive(t, again, 1), "what is not done stays")
	require.NoError(t, again.Close())
}

// Who is gone, or hears a topic no more, holds back what its topics would remove; doctor tells, and forgets them when it is told
// to. Others that run share the tables and are left alone.
func TestDoctorFindsWhoIsGone(t *testing.T) {
	o := options(t)
	o.Topics = append(o.Topics, driver.Topic{Name: "b.v1", Retention: time.Hour}, driver.Topic{Name: "for-ever.v1"})
	o.Audience = map[string][]string{"reader": {"a.v1", "b.v1"}, "gone": {"a.v1", "for-ever.v1"}}
	o.Consumers = map[string][]string{"reader": {"a.v1", "b.v1"}}
	before := open(t, o)
	publish(t, before, "a", "b", "c")
	require.NoError(t, before.Publisher().Publish("for-ever.v1", message.NewMessage("d", nil)))
	require.Len(t, receive(t, before, 3), 3)
	require.NoError(t, before.Drain(t.Context()))
	require.NoError(t, before.Close())
	conn, err := pgx.Connect(t.Context(), o.Config.SQL.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(t.Context())) }()
	count := func(of string, args ...any) (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM transport.`+of, args...).Scan(&n))
		return n
	}
	var table string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT tablename FROM pg_tables WHERE schemaname = 'transport' AND tablename LIKE 't\_a%'`).Scan(&table))
	execute(t, o, `UPDATE transport.`+table+` SET created_at = now() - interval '2 hours';
		INSERT INTO transport.positions (consumer, topic, bucket) VALUES ('library', 'a.v1', 0);
		INSERT INTO transport.members VALUES ('library', 'one', now() + interval '1 hour'), ('test-reader', 'one', now() + interval '1 hour')`)

	examine := func(o driver.Options) []driver.Finding {
		admin, err := sql.Driver.Admin(t.Context(), o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, admin.Close()) })
		findings, err := admin.Doctor(t.Context())
		require.NoError(t, err)
		return findings
	}
	require.Empty(t, examine(o))
	now := o
	now.Audience = map[string][]string{"reader": {"a.v1"}}
	found := examine(now)
	require.Len(t, found, 2)
	require.Contains(t, found[0].Problem, "test-gone stands on a.v1, for-ever.v1, which nobody of this platform hears by that name: it holds back 3 events")
	require.Contains(t, found[1].Problem, "test-reader stands on b.v1, which nobody of this platform hears by that name: it holds back 0 events")
	for _, f := range found {
		require.NoError(t, f.Mend(t.Context()))
	}
	require.Empty(t, examine(now))
	require.Zero(t, count("positions WHERE consumer = 'test-gone'")+count("consumer_buckets WHERE consumer = 'test-gone'"))
	require.Equal(t, 64, count("consumer_buckets WHERE consumer = 'test-reader'"))

	execute(t, o, `DELETE FROM transport.members; DELETE FROM transport.positions WHERE consumer = 'library'`)
	now.Consumers = now.Audience
	after := open(t, now)
	require.Eventually(t, func() bool { return count(table) == 0 }, 10*time.Second, 20*time.Millisecond, "nobody holds it back any more")
	require.NoError(t, after.Close())
}

// A process that still hears what doctor forgot goes on with the rest.
func TestAProcessOutlivesWhatDoctorForgets(t *testing.T) {
	o := options(t)
	o.Topics = append(o.Topics, driver.Topic{Name: "b.v1"})
	o.Consumers = map[string][]string{"reader": {"a.v1", "b.v1"}}
	tr := open(t, o)
	defer func() { require.NoError(t, tr.Close()) }()
	execute(t, o, `DELETE FROM transport.positions WHERE topic = 'b.v1'`)
	publish(t, tr, "a")
	receive(t, tr, 1)
	standing, err := tr.Standing(t.Context())
	require.NoError(t, err)
	require.Len(t, standing.Lag, 2)
}
