package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	wmkafka "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka"
)

func kafkaCells(b *bench) []cell {
	slow := func(partitions int, target float64) cell {
		return cell{
			name: fmt.Sprintf("kafka-5ms-%dp", partitions), title: fmt.Sprintf("Kafka, consuming with a 5 ms handler, %d partition(s)", partitions), target: target, against: stock,
			fill: func(ctx context.Context, _ int) (data, error) { return b.fillKafka(ctx, partitions, 110_000) },
			contestants: []contestant{
				{ours, b.kafkaChained(5*time.Millisecond, 10_000, 105_000, false)},
				{stock, b.kafkaStock(5*time.Millisecond, 20*partitions, 100_000, true)},
				{raw, b.kafkaRaw(5*time.Millisecond, 10_000, 105_000)},
				{"ours with the transaction step", b.kafkaChained(5*time.Millisecond, 100, 20_000, true)},
			},
		}
	}
	return []cell{
		slow(1, 100), slow(4, 40),
		{
			name: "kafka-0ms", title: "Kafka, consuming with a 0 ms handler, 4 partitions; stock: bare router", target: 1, against: stock,
			fill: func(ctx context.Context, _ int) (data, error) { return b.fillKafka(ctx, 4, 260_000) },
			contestants: []contestant{
				{ours, b.kafkaChained(0, 20_000, 250_000, false)},
				{stock, b.kafkaStock(0, 20_000, 250_000, false)},
				{raw, b.kafkaRaw(0, 20_000, 250_000)},
				{"ours without the chain", b.kafkaUnchained(0, 20_000, 250_000)},
				{"ours with the transaction step", b.kafkaChained(0, 1_000, 250_000, true)},
			},
		},
		{
			name: "kafka-relay", title: "Kafka, the relay's publishing, marking done included; stock: Publish of 100", target: 10, against: stock,
			fill: b.fillOutbox,
			contestants: []contestant{
				{ours, b.relayPostgres}, {stock, b.kafkaStockBatches}, {raw, b.kafkaRawPublish}, {"ours on SQLite", b.relaySQLite},
			},
		},
		{
			name: "kafka-publish", title: "Kafka, the driver's Publish of one message from 256 goroutines", target: 1, against: stock,
			fill: func(ctx context.Context, _ int) (data, error) { return b.fillKafka(ctx, 4, 0) },
			contestants: []contestant{
				{ours, b.kafkaPublish}, {stock, b.kafkaStockPublish}, {raw, b.kafkaRawPublish},
			},
		},
	}
}

// fillKafka makes a fresh topic with n messages.
func (b *bench) fillKafka(ctx context.Context, partitions, n int) (data, error) {
	topic := newTopic()
	if err := b.createTopic(ctx, topic, partitions); err != nil {
		return data{}, err
	}
	d := data{topic: topic, empty: func(ctx context.Context) error { return b.deleteTopic(ctx, topic) }}
	all, err := messages(n)
	if err != nil {
		return d, err
	}
	t, err := kafka.Driver.Open(ctx, driver.Options{Config: b.kafkaConfig(partitions), Logger: b.log})
	if err != nil {
		return d, err
	}
	return d, errors.Join(t.Publisher().Publish(topic, all...), t.Close())
}

func (b *bench) kafkaChained(work time.Duration, warm, enough int, transacted bool) func(context.Context, data) (float64, error) {
	return func(ctx context.Context, d data) (float64, error) {
		return b.chained(ctx, kafka.Driver, b.kafkaConfig(1), consumption{d.topic, work, warm, enough}, transacted)
	}
}

func (b *bench) kafkaUnchained(work time.Duration, warm, enough int) func(context.Context, data) (float64, error) {
	return func(ctx context.Context, d data) (float64, error) {
		return b.unchained(ctx, kafka.Driver, b.kafkaConfig(1), consumption{d.topic, work, warm, enough})
	}
}

// kafkaStock consumes with the stock subscriber. Of its defaults only the first offset is changed, without which it would see
// nothing.
func (b *bench) kafkaStock(work time.Duration, warm, enough int, chained bool) func(context.Context, data) (float64, error) {
	return func(ctx context.Context, d data) (float64, error) {
		settings := wmkafka.DefaultSaramaSubscriberConfig()
		settings.Consumer.Offsets.Initial = sarama.OffsetOldest
		sub, err := wmkafka.NewSubscriber(wmkafka.SubscriberConfig{Brokers: b.kafka, ConsumerGroup: b.name("stock"), OverwriteSaramaConfig: settings}, nil)
		if err != nil {
			return 0, err
		}
		var chain []message.HandlerMiddleware
		if chained {
			poison, err := b.stockKafkaPublisher()
			if err != nil {
				return 0, err
			}
			defer func() { _ = poison.Close() }() // nothing was published
			if chain, err = stockChain(poison); err != nil {
				return 0, err
			}
		}
		return b.stockConsume(ctx, sub, consumption{d.topic, work, warm, enough}, chain)
	}
}

// kafkaRaw consumes with franz-go alone: no order, and no offsets but the client's own.
func (b *bench) kafkaRaw(work time.Duration, warm, enough int) func(context.Context, data) (float64, error) {
	return func(ctx context.Context, d data) (float64, error) {
		c := consumption{d.topic, work, warm, enough}
		m := c.meter(b)
		client, err := kgo.NewClient(kgo.SeedBrokers(b.kafka...), kgo.ConsumerGroup(b.name("raw")), kgo.ConsumeTopics(d.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			return 0, err
		}
		add, wait := pool(c, m)
		polling, stop := context.WithCancel(ctx)
		var reader sync.WaitGroup
		reader.Go(func() {
			for polling.Err() == nil {
				client.PollRecords(polling, 2048).EachRecord(func(*kgo.Record) { add() })
			}
			wait()
		})
		rate, err := m.wait(ctx)
		stop()
		reader.Wait()
		client.Close()
		return rate, err
	}
}

const publishers = 256

// kafkaPublish publishes one message at a time from many goroutines, with our driver.
func (b *bench) kafkaPublish(ctx context.Context, d data) (float64, error) {
	t, err := kafka.Driver.Open(ctx, driver.Options{Config: b.kafkaConfig(1), Logger: b.log})
	if err != nil {
		return 0, err
	}
	rate, err := b.publishConcurrently(ctx, t.Publisher(), d.topic, publishers)
	return rate, errors.Join(err, t.Close())
}

func (b *bench) kafkaStockPublish(ctx context.Context, d data) (float64, error) {
	p, err := b.stockKafkaPublisher()
	if err != nil {
		return 0, err
	}
	rate, err := b.publishConcurrently(ctx, p, d.topic, publishers)
	return rate, errors.Join(err, p.Close())
}

// stockKafkaPublisher has the acknowledgements that ours has, so that both may lose nothing, and the key.
func (b *bench) stockKafkaPublisher() (*wmkafka.Publisher, error) {
	settings := wmkafka.DefaultSaramaSyncPublisherConfig()
	settings.Producer.RequiredAcks = sarama.WaitForAll
	return wmkafka.NewPublisher(wmkafka.PublisherConfig{
		Brokers: b.kafka, OverwriteSaramaConfig: settings,
		Marshaler: wmkafka.NewWithPartitioningMarshaler(func(_ string, msg *message.Message) (string, error) { return msg.Metadata.Get(driver.KeyMetadata), nil }),
	}, nil)
}

const publishPool = 20_000 // messages that are made before, and published again and again

func (b *bench) publishConcurrently(ctx context.Context, p message.Publisher, topic string, concurrency int) (float64, error) {
	useTopic(topic)
	all, err := messages(publishPool)
	if err != nil {
		return 0, err
	}
	var next atomic.Int64
	m := newMeter(20*concurrency, 1<<40, b.limit)
	running, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, concurrency)
	var group sync.WaitGroup
	for range concurrency {
		group.Go(func() {
			for running.Err() == nil {
				if err := p.Publish(topic, all[next.Add(1)%publishPool]); err != nil {
					failed <- err
					stop()
					return
				}
				m.tick()
			}
		})
	}
	rate, err := m.wait(running)
	stop()
	group.Wait()
	select {
	case e := <-failed:
		err = errors.Join(err, e)
	default:
	}
	return rate, err
}

// kafkaStockBatches publishes batches of 100, one after another, as a program does that uses Watermill as it comes.
func (b *bench) kafkaStockBatches(ctx context.Context, d data) (float64, error) {
	useTopic(d.topic)
	all, err := messages(publishPool)
	if err != nil {
		return 0, err
	}
	p, err := b.stockKafkaPublisher()
	if err != nil {
		return 0, err
	}
	const batch = 100
	if err := p.Publish(d.topic, all[:batch]...); err != nil { // the connection stands
		return 0, errors.Join(err, p.Close())
	}
	began, n := time.Now(), 0
	for run := range slices.Chunk(all, batch) {
		if err := p.Publish(d.topic, run...); err != nil {
			return 0, errors.Join(err, p.Close())
		}
		if n += batch; time.Since(began) > b.limit || ctx.Err() != nil {
			break
		}
	}
	return float64(n) / time.Since(began).Seconds(), errors.Join(ctx.Err(), p.Close())
}

// kafkaRawPublish publishes with franz-go alone, from one goroutine that waits for nothing but the end.
func (b *bench) kafkaRawPublish(ctx context.Context, d data) (float64, error) {
	useTopic(d.topic)
	all, err := messages(publishPool)
	if err != nil {
		return 0, err
	}
	var failed atomic.Value
	began, n := time.Now(), 0
	for time.Since(began) < b.limit && ctx.Err() == nil {
		for range 1_000 {
			msg := all[n%publishPool]
			n++
			r := &kgo.Record{Topic: d.topic, Key: []byte(msg.Metadata.Get(driver.KeyMetadata)), Value: msg.Payload}
			b.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.Store(err)
				}
			})
		}
	}
	err = b.client.Flush(ctx)
	rate := float64(n) / time.Since(began).Seconds()
	if e, isError := failed.Load().(error); isError {
		err = errors.Join(err, e)
	}
	return rate, err
}
