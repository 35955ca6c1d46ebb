// Package sql is the transport over PostgreSQL tables: a small production without a broker. Messages go in through
// watermill-sql's publisher with a schema of ours; consumers read them with many keys in parallel, and share their keys
// between instances by leases on buckets of keys.
//
// Every insert into a topic's table, whoever makes it, holds the topic's lock until it commits, so that offsets become visible
// in order: a reader needs no transaction ids to know that nothing comes before what it has read. (watermill-sql compares
// xids: one slow transaction anywhere stalls every topic, and a dump restored into a new cluster hides messages.)
package sql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	wmsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

// Driver is the transport of the sql profile.
var Driver = driver.Driver{
	Name: "sql", Capabilities: driver.Capabilities{BetweenProcesses: true, Records: true}, Open: open, Admin: openAdmin,
}

var (
	_ driver.Transport    = (*Transport)(nil)
	_ message.Publisher   = (*publisher)(nil)
	_ message.Subscriber  = subscriber{}
	_ wmsql.SchemaAdapter = Schema{}
)

const prepareTimeout = 30 * time.Second

// A foreign transaction may hold a topic's lock for long: the publisher lets go of the connection now and then, which reads
// and leases may need too. Making tables has nobody to wait for it.
const (
	lockTimeout      = "1s"
	tableLockTimeout = "10s"
)

// connections: one publishes, one reads, and one keeps the leases. A process of one service does with one, so that 24 of them
// fit into PostgreSQL's default of 100, the three of their store included.
func connections(consumers int) int { return min(max(consumers, 1), 3) }

// Transport is the connection of one process to the tables.
type Transport struct {
	log       *slog.Logger
	db        *sql.DB
	publisher *publisher
	consumers map[string]*consumer
	stop      context.CancelFunc
	running   sync.WaitGroup
}

func open(ctx context.Context, o driver.Options) (driver.Transport, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	db, err := connect(ctx, o, connections(len(o.Consumers)))
	if err != nil {
		return nil, err
	}
	t := &Transport{log: o.Logger, db: db, consumers: map[string]*consumer{}}
	life, stop := context.WithCancel(context.Background())
	t.stop = stop
	if err := prepare(ctx, db, o); err != nil {
		stop()
		return nil, errors.Join(err, db.Close())
	}
	stock, err := wmsql.NewPublisher(db, wmsql.PublisherConfig{SchemaAdapter: Schema{}}, nil)
	if err != nil {
		stop()
		return nil, errors.Join(err, db.Close())
	}
	t.publisher = newPublisher(stock)
	for name, topics := range o.Consumers {
		t.consumers[name] = newConsumer(db, name, topics, o)
	}
	t.running.Go(func() { t.prune(life, o.Topics) })
	return t, nil
}

// prepare makes the tables that are missing, under a lock, and the positions of every consumer of the platform: a consumer
// begins at a topic's first message.
func prepare(ctx context.Context, db *sql.DB, o driver.Options) error {
	ctx, cancel := context.WithTimeout(ctx, prepareTimeout)
	defer cancel()
	audience := o.Audience
	if audience == nil {
		audience = o.Consumers
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("transport.sql: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if _, err := tx.ExecContext(ctx, "SET LOCAL lock_timeout = '"+tableLockTimeout+"'"); err != nil {
		return fmt.Errorf("transport.sql: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('viscount/transport/prepare', 0))"); err != nil {
		return fmt.Errorf("transport.sql: %w", err)
	}
	have, err := existing(ctx, tx)
	if err != nil {
		return fmt.Errorf("transport.sql: %w", err)
	}
	var statements []string
	if !have["consumer_buckets"] {
		statements = append(statements, sharedTables...)
	}
	for _, topic := range o.Topics {
		if !have[tableOf(topic.Name)] {
			statements = append(statements, topicTable(topic.Name)...)
		}
	}
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("transport.sql: making the tables of the events: %w", err)
		}
	}
	for name, topics := range audience {
		if err := makePositions(ctx, tx, o.ConsumerName(name), topics); err != nil {
			return fmt.Errorf("transport.sql: %w", err)
		}
	}
	return tx.Commit()
}

func existing(ctx context.Context, db wmsql.ContextExecutor) (map[string]bool, error) {
	rows, err := db.QueryContext(ctx, "SELECT tablename::text FROM pg_tables WHERE schemaname = $1", schema)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // read to the end below
	have := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		have[name] = true
	}
	return have, rows.Err()
}

// Publisher implements driver.Transport.
func (t *Transport) Publisher() message.Publisher { return t.publisher }

// Subscriber implements driver.Transport.
func (t *Transport) Subscriber(name string) (message.Subscriber, error) {
	c, known := t.consumers[name]
	if !known {
		return nil, fmt.Errorf("sql: %q is no consumer of this process", name)
	}
	return subscriber{c}, nil
}

// Standing implements driver.Transport.
func (t *Transport) Standing(ctx context.Context) (driver.Standing, error) {
	var s driver.Standing
	for _, c := range t.consumers {
		lag, err := c.lag(ctx)
		if err != nil {
			return s, fmt.Errorf("sql: %w", err)
		}
		s.Lag = append(s.Lag, lag...)
	}
	return s, nil
}

// Drain implements driver.Transport.
func (t *Transport) Drain(ctx context.Context) error {
	return keyed.DrainAll(t.consumers, func(c *consumer) error { return c.drain(ctx) })
}

// Close implements driver.Transport.
func (t *Transport) Close() error {
	t.stop()
	for _, c := range t.consumers {
		c.close()
	}
	t.publisher.close()
	t.running.Wait()
	return t.db.Close()
}
