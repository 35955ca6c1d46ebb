package main

import (
	"context"
	"errors"
	"time"

	"cloud.google.com/go/pubsub"
	wmgooglecloud "github.com/ThreeDotsLabs/watermill-googlecloud/pkg/googlecloud"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/googlecloud"
)

func pubsubCells(b *bench) []cell {
	c := cell{
		name: "pubsub-publish", title: "Pub/Sub emulator, the driver's Publish of one message from 256 goroutines; stock: single Publish", target: 100, against: stock,
		fill:        func(context.Context, int) (data, error) { return data{topic: newTopic()}, nil },
		contestants: []contestant{{ours, b.pubsubPublish}, {stock, b.pubsubStock}, {raw, b.pubsubRaw}},
	}
	if b.pubsub == "" {
		c.missing = "TEST_PUBSUB names no emulator: this machine has none"
	}
	return []cell{c}
}

func (b *bench) pubsubPublish(ctx context.Context, d data) (float64, error) {
	t, err := googlecloud.Driver.Open(ctx, driver.Options{Config: b.pubsubConfig(), Topics: []driver.Topic{{Name: d.topic}}, Logger: b.log})
	if err != nil {
		return 0, err
	}
	rate, err := b.publishConcurrently(ctx, t.Publisher(), d.topic, publishers)
	return rate, errors.Join(err, t.Close())
}

// pubsubStock publishes one message after another, with ordering as ours has it.
func (b *bench) pubsubStock(ctx context.Context, d data) (float64, error) {
	p, err := wmgooglecloud.NewPublisher(wmgooglecloud.PublisherConfig{
		ProjectID: b.pubsubConfig().GoogleCloud.Project, ClientOptions: b.pubsubOptions(), EnableMessageOrdering: true, Marshaler: googlecloud.Marshaler{},
	}, nil)
	if err != nil {
		return 0, err
	}
	rate, err := b.publishConcurrently(ctx, p, d.topic, 1)
	return rate, errors.Join(err, p.Close())
}

func (b *bench) pubsubOptions() []option.ClientOption {
	return []option.ClientOption{option.WithEndpoint(b.pubsub), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials()))}
}

// pubsubRaw publishes with the client alone, as it comes: without ordering, in batches, waiting for nothing but the end.
func (b *bench) pubsubRaw(ctx context.Context, d data) (rate float64, err error) {
	client, err := pubsub.NewClient(ctx, b.pubsubConfig().GoogleCloud.Project, b.pubsubOptions()...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	topic := client.Topic(d.topic)
	defer topic.Stop()
	if exists, err := topic.Exists(ctx); err != nil || !exists {
		if topic, err = client.CreateTopic(ctx, d.topic); err != nil {
			return 0, err
		}
	}
	useTopic(d.topic)
	all, err := messages(publishPool)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	var results []*pubsub.PublishResult
	for n := 0; n < len(all) && time.Since(began) < b.limit; n++ {
		results = append(results, topic.Publish(ctx, &pubsub.Message{Data: all[n].Payload}))
	}
	for _, r := range results {
		if _, err := r.Get(ctx); err != nil {
			return 0, err
		}
	}
	return float64(len(results)) / time.Since(began).Seconds(), nil
}
