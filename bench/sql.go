package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	wmsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/jackc/pgx/v5"

	"github.com/first-viscount/viscount/transports/driver"
	transport "github.com/first-viscount/viscount/transports/sql"
)

const (
	small  = 10_000
	medium = 200_000
	large  = 1_000_000
)

func sqlCells(b *bench) []cell {
	return []cell{
		{
			name: "sql-backlog", title: "SQL, consuming with a 0 ms handler at a backlog of 1,000,000, against 10,000", target: 1, against: "ours at 10,000",
			fill: b.fillSQL(nil, small, large),
			contestants: []contestant{
				// both from the first event on: later, what is read for events that come after is not in the smaller one's time
				{ours, repeated(5, b.sqlChained(large, 0, 1, 10*small, false))},
				{"ours at 10,000", repeated(5, b.sqlChained(small, 0, 1, small, false))},
				{raw, b.sqlRaw(large, 0, 1_000, 9_500)},
			},
		},
		{
			name: "sql-200k", title: "SQL, consuming with a 0 ms handler at a backlog of 200,000", target: 20, against: stock,
			fill: b.fillSQL([]int{medium}, medium),
			contestants: []contestant{
				{ours, b.sqlChained(medium, 0, 10_000, 195_000, false)},
				{stock, b.sqlStock(medium, 0, 200, 195_000)},
				{raw, b.sqlRaw(medium, 0, 10_000, 195_000)},
				{"ours with the transaction step", b.sqlChained(medium, 0, 1_000, 195_000, true)},
			},
		},
		{
			name: "sql-5ms", title: "SQL, consuming with a 5 ms handler; ours at a backlog of 200,000, stock of 10,000", target: 100, against: stock,
			fill: b.fillSQL([]int{small}, medium),
			contestants: []contestant{
				{ours, b.sqlChained(medium, 5*time.Millisecond, 10_000, 195_000, false)},
				{stock, b.sqlStock(small, 5*time.Millisecond, 20, 9_500)},
				{raw, b.sqlRaw(medium, 5*time.Millisecond, 10_000, 195_000)},
				{"ours with the transaction step", b.sqlChained(medium, 5*time.Millisecond, 100, 195_000, true)},
			},
		},
	}
}

// repeated is the median of several short runs.
func repeated(n int, run func(context.Context, data) (float64, error)) func(context.Context, data) (float64, error) {
	return func(ctx context.Context, d data) (float64, error) {
		rates := make([]float64, n)
		for i := range rates {
			var err error
			if rates[i], err = run(ctx, d); err != nil {
				return 0, err
			}
		}
		return median(rates), nil
	}
}

// fillSQL makes tables with backlogs, once: every consumer that is new has all of a table before it.
func (b *bench) fillSQL(forStock []int, forOurs ...int) func(context.Context, int) (data, error) {
	return func(ctx context.Context, _ int) (data, error) {
		for _, n := range forOurs {
			if err := b.fillOurs(ctx, n); err != nil {
				return data{}, err
			}
		}
		for _, n := range forStock {
			if err := b.fillStock(ctx, n); err != nil {
				return data{}, err
			}
		}
		return data{}, nil
	}
}

const fillChunk = 5_000

func (b *bench) fillOurs(ctx context.Context, n int) error {
	if b.filled[n] != "" {
		return nil
	}
	topic := newTopic()
	all, err := messages(n)
	if err != nil {
		return err
	}
	t, err := transport.Driver.Open(ctx, driver.Options{Config: b.sqlConfig(), Topics: []driver.Topic{{Name: topic}}, Logger: b.log})
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(all, fillChunk) {
		if err := errors.Join(ctx.Err(), t.Publisher().Publish(topic, chunk...)); err != nil {
			return errors.Join(err, t.Close())
		}
	}
	b.filled[n] = topic
	return t.Close()
}

func (b *bench) fillStock(ctx context.Context, n int) error {
	if b.stocked[n] != "" {
		return nil
	}
	topic := fmt.Sprintf("stock_%d", n)
	all, err := messages(n)
	if err != nil {
		return err
	}
	db, err := sql.Open("pgx", b.url)
	if err != nil {
		return err
	}
	p, err := wmsql.NewPublisher(db, wmsql.PublisherConfig{SchemaAdapter: wmsql.DefaultPostgreSQLSchema{}, AutoInitializeSchema: true}, nil)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	for chunk := range slices.Chunk(all, 100) {
		if err := errors.Join(ctx.Err(), p.Publish(topic, chunk...)); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	b.stocked[n] = topic
	return errors.Join(p.Close(), db.Close())
}

func (b *bench) sqlChained(backlog int, work time.Duration, warm, enough int, transacted bool) func(context.Context, data) (float64, error) {
	return func(ctx context.Context, _ data) (float64, error) {
		return b.chained(ctx, transport.Driver, b.sqlConfig(), consumption{b.filled[backlog], work, warm, enough}, transacted)
	}
}

// sqlStock consumes with the stock subscriber, its schema and its settings as they come.
func (b *bench) sqlStock(backlog int, work time.Duration, warm, enough int) func(context.Context, data) (float64, error) {
	return func(ctx context.Context, _ data) (float64, error) {
		db, err := sql.Open("pgx", b.url)
		if err != nil {
			return 0, err
		}
		sub, err := wmsql.NewSubscriber(db, wmsql.SubscriberConfig{
			ConsumerGroup: b.name("stock"), SchemaAdapter: wmsql.DefaultPostgreSQLSchema{}, OffsetsAdapter: wmsql.DefaultPostgreSQLOffsetsAdapter{}, InitializeSchema: true,
		}, nil)
		if err != nil {
			return 0, errors.Join(err, db.Close())
		}
		poison, err := wmsql.NewPublisher(db, wmsql.PublisherConfig{SchemaAdapter: wmsql.DefaultPostgreSQLSchema{}}, nil)
		if err != nil {
			return 0, errors.Join(err, db.Close())
		}
		chain, err := stockChain(poison)
		if err != nil {
			return 0, errors.Join(err, db.Close())
		}
		rate, err := b.stockConsume(ctx, sub, consumption{b.stocked[backlog], work, warm, enough}, chain)
		return rate, errors.Join(err, db.Close())
	}
}

// sqlRaw reads our table page by page with pgx alone.
func (b *bench) sqlRaw(backlog int, work time.Duration, warm, enough int) func(context.Context, data) (float64, error) {
	return func(ctx context.Context, _ data) (float64, error) {
		c := consumption{b.filled[backlog], work, warm, enough}
		m := c.meter(b)
		conn, err := pgx.Connect(ctx, b.url)
		if err != nil {
			return 0, err
		}
		var table string
		err = conn.QueryRow(ctx, "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND obj_description(oid, 'pg_class') = $1", c.topic).Scan(&table)
		if err != nil {
			return 0, errors.Join(err, conn.Close(ctx))
		}
		add, wait := pool(c, m)
		reading, stop := context.WithCancel(ctx)
		failed := make(chan error, 1)
		var reader sync.WaitGroup
		reader.Go(func() {
			defer wait()
			for after, n := int64(0), 1; n > 0 && reading.Err() == nil; {
				if after, n, err = readPage(ctx, conn, table, after, add); err != nil {
					failed <- err
					return
				}
			}
		})
		rate, err := m.wait(ctx)
		stop()
		reader.Wait()
		select {
		case e := <-failed:
			err = errors.Join(err, e)
		default:
		}
		return rate, errors.Join(err, conn.Close(ctx))
	}
}

func readPage(ctx context.Context, conn *pgx.Conn, table string, after int64, add func()) (last int64, n int, err error) {
	rows, err := conn.Query(ctx, `SELECT "offset", uuid, key, payload, metadata, created_at FROM `+table+` WHERE "offset" > $1 ORDER BY "offset" LIMIT 1024`, after)
	if err != nil {
		return after, 0, err
	}
	defer rows.Close()
	for ; rows.Next(); n++ {
		var id string
		var key, payload, metadata []byte
		var at time.Time
		if err := rows.Scan(&after, &id, &key, &payload, &metadata, &at); err != nil {
			return after, n, err
		}
		add()
	}
	return after, n, rows.Err()
}
