package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/config"
)

// bench is what the cells share: the servers, and what was prepared on them.
type bench struct {
	options
	limit    time.Duration // of one measurement
	client   *kgo.Client
	database string // made for this run
	url      string // of it
	dir      string // for SQLite
	log      *slog.Logger
	names    int
	filled   map[int]string // SQL topics by their backlog
	stocked  map[int]string
}

func newBench(ctx context.Context, o options) (*bench, error) {
	b := &bench{
		options: o, limit: time.Duration(o.seconds * float64(time.Second)), database: fmt.Sprintf("bench_%d", runID),
		log: slog.New(slog.NewJSONHandler(io.Discard, nil)), filled: map[int]string{}, stocked: map[int]string{},
	}
	var err error
	if b.client, err = kgo.NewClient(kgo.SeedBrokers(o.kafka...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.ProducerLinger(0)); err != nil {
		return nil, fmt.Errorf("TEST_KAFKA: %w", err)
	}
	reach, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := b.client.Ping(reach); err != nil {
		return nil, fmt.Errorf("no answer from Kafka at %v (is make brokers running?): %w", o.kafka, err)
	}
	u, err := url.Parse(o.postgres)
	if err != nil {
		return nil, fmt.Errorf("TEST_POSTGRES is no URL: %w", err)
	}
	if err := b.administer(reach, "CREATE DATABASE "+b.database); err != nil {
		return nil, fmt.Errorf("PostgreSQL at %s (is make brokers running?): %w", u.Host, err)
	}
	u.Path = "/" + b.database
	b.url = u.String()
	b.dir, err = os.MkdirTemp("", "viscount-bench-")
	return b, err
}

func (b *bench) administer(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, b.postgres)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // one statement was all
	_, err = conn.Exec(ctx, statement)
	return err
}

// close removes what the run made.
func (b *bench) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := b.administer(ctx, "DROP DATABASE IF EXISTS "+b.database+" WITH (FORCE)"); err != nil {
		progress("dropping the database %s: %v", b.database, err)
	}
	b.client.Close()
	if err := os.RemoveAll(b.dir); err != nil {
		progress("removing %s: %v", b.dir, err)
	}
}

// settle does at once what the server and the runtime do sooner or later about what came before, so that it does not fall into
// a measurement.
func (b *bench) settle(ctx context.Context) error {
	runtime.GC()
	conn, err := pgx.Connect(ctx, b.url)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "VACUUM ANALYZE")
	if err == nil {
		_, err = conn.Exec(ctx, "CHECKPOINT")
	}
	return errors.Join(err, conn.Close(ctx))
}

// name makes a name that nothing else has.
func (b *bench) name(what string) string {
	b.names++
	return fmt.Sprintf("bench_%s_%d_%d", what, runID, b.names)
}

func (b *bench) kafkaConfig(partitions int) config.Transport {
	return config.Transport{
		Driver: "kafka", ConsumerPrefix: b.name("group"),
		Kafka: config.Kafka{Brokers: b.kafka, Topics: config.KafkaTopics{Provision: true, Partitions: partitions, Replication: 1}},
	}
}

func (b *bench) sqlConfig() config.Transport {
	return config.Transport{Driver: "sql", ConsumerPrefix: b.name("group"), SQL: config.SQL{URL: b.url}}
}

func (b *bench) pubsubConfig() config.Transport {
	return config.Transport{Driver: "googlecloud", ConsumerPrefix: "bench", GoogleCloud: config.GoogleCloud{Project: fmt.Sprintf("bench-%d", runID), Endpoint: b.pubsub}}
}

func (b *bench) createTopic(ctx context.Context, topic string, partitions int) error {
	_, err := kadm.NewClient(b.client).CreateTopic(ctx, int32(partitions), 1, nil, topic)
	return err
}

func (b *bench) deleteTopic(ctx context.Context, topic string) error {
	_, err := kadm.NewClient(b.client).DeleteTopic(ctx, topic)
	return err
}
