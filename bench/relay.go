package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka"
)

const (
	outboxRows = 100_000
	perCommit  = 50 // events of one transaction
)

// fillOutbox makes a fresh topic; each relay fills an outbox of its own.
func (b *bench) fillOutbox(ctx context.Context, _ int) (data, error) { return b.fillKafka(ctx, 4, 0) }

func (b *bench) relayPostgres(ctx context.Context, d data) (float64, error) {
	return b.relay(ctx, d, store.Options{Service: b.name("relay"), Postgres: store.Postgres{URL: b.url}})
}

func (b *bench) relaySQLite(ctx context.Context, d data) (float64, error) {
	return b.relay(ctx, d, store.Options{Service: b.name("relay"), Dir: b.dir})
}

// relay publishes a full outbox to a topic of its own, until every row is marked, and asserts what the topic then holds.
func (b *bench) relay(ctx context.Context, _ data, o store.Options) (rate float64, err error) {
	topic := newTopic()
	if err := b.createTopic(ctx, topic, 4); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.deleteTopic(context.WithoutCancel(ctx), topic)) }()
	o.Logger = b.log
	if o.Catalogue, err = catalogue(); err != nil {
		return 0, err
	}
	st, err := store.Open(ctx, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := emit(ctx, st); err != nil {
		return 0, err
	}
	if err := b.settle(ctx); err != nil {
		return 0, err
	}
	t, err := kafka.Driver.Open(ctx, driver.Options{Config: b.kafkaConfig(1), Logger: b.log})
	if err != nil {
		return 0, err
	}
	relaying, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(ended)
		st.Relay(relaying, app.RelayTo(t.Publisher()))
	}()
	err = allMarked(ctx, st)
	rate = outboxRows / time.Since(began).Seconds()
	stop()
	<-ended
	if err = errors.Join(err, t.Close()); err != nil {
		return 0, err
	}
	return rate, b.checkRelayed(ctx, topic)
}

// emit enters events into the outbox.
func emit(ctx context.Context, st *store.Store) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(32)
	for range outboxRows / perCommit {
		group.Go(func() error {
			return st.Do(ctx, func(_ context.Context, tx *store.Tx) error {
				for range perCommit {
					if err := tx.Emit(paymentOf(keyName(rand.IntN(keys)))); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return group.Wait()
}

// allMarked waits until no row of the outbox is pending.
func allMarked(ctx context.Context, st *store.Store) error {
	for limit := time.Now().Add(patience); ; {
		var pending bool
		err := st.View(ctx, func(ctx context.Context, r store.Reader) error {
			rows := "outbox WHERE done_at IS NULL"
			if r.Kind() == store.PostgreSQL {
				rows = "outbox_queue"
			}
			return r.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM "+rows+")").Scan(&pending)
		})
		switch {
		case err != nil || !pending:
			return err
		case time.Now().After(limit):
			return fmt.Errorf("rows are pending after %v", patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// checkRelayed reads the topic back: every row is there, and each key's in order.
func (b *bench) checkRelayed(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	o := newOrder()
	for n := 0; n < outboxRows; {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("of %d relayed rows the topic holds %d: %w", outboxRows, n, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			n++
			o.begin(string(r.Key), sequenceIn(r)).end()
		})
	}
	return o.check()
}

func sequenceIn(r *kgo.Record) int64 {
	for _, h := range r.Headers {
		if h.Key == router.MetaSequence {
			return parseSequence(string(h.Value))
		}
	}
	return 0
}
