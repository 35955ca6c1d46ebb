// Package kafka is the transport over Apache Kafka. It speaks the format of watermill-kafka (see Marshaler), so that stock
// Watermill reads what it writes and the other way round; records go through franz-go, which publishes in batches and lets a
// consumer be one group member for all of its topics.
package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

// Driver is the transport of the kafka profile.
var Driver = driver.Driver{
	Name: "kafka", Capabilities: driver.Capabilities{BetweenProcesses: true, Records: true}, Open: open, Admin: openAdmin,
}

var (
	_ driver.Transport   = (*Transport)(nil)
	_ message.Publisher  = publisher{}
	_ message.Subscriber = subscriber{}
)

// Transport is the connection of one process to a cluster.
type Transport struct {
	log       *slog.Logger
	options   []kgo.Opt   // of every client
	client    *kgo.Client // publishes and administers
	admin     *kadm.Client
	consumers map[string]*consumer
}

func open(ctx context.Context, o driver.Options) (driver.Transport, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	common, err := clientOptions(o.Config.Kafka)
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(common, producerOptions()...)...)
	if err != nil {
		return nil, fmt.Errorf("transport.kafka: %w", err)
	}
	t := &Transport{log: o.Logger, options: common, client: client, admin: kadm.NewClient(client), consumers: map[string]*consumer{}}
	if err := t.reach(ctx, o); err != nil {
		client.Close()
		return nil, err
	}
	for name, topics := range o.Consumers {
		t.consumers[name] = newConsumer(name, topics, o, common)
	}
	return t, nil
}

// reach makes sure that brokers answer and that the topics are there.
func (t *Transport) reach(ctx context.Context, o driver.Options) error {
	answering, cancel := context.WithTimeoutCause(ctx, driver.AnswerTimeout, errNoAnswer)
	defer cancel()
	if err := t.client.Ping(answering); err != nil {
		return explain(o.Config.Kafka, err)
	}
	missing, err := t.missing(answering, o.Topics)
	if err != nil {
		return explain(o.Config.Kafka, err)
	}
	switch {
	case len(missing) == 0:
		return nil
	case !o.Config.Kafka.Topics.Provision:
		return fmt.Errorf("the topic %s does not exist%s: run viscount topics apply, or set transport.kafka.topics.provision", missing[0].Name, andOthers(len(missing)-1))
	}
	return t.create(ctx, o.Config.Kafka.Topics, missing)
}

func andOthers(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (and %d others)", n)
}

// Publisher implements driver.Transport.
func (t *Transport) Publisher() message.Publisher { return publisher{t.client} }

// Subscriber implements driver.Transport.
func (t *Transport) Subscriber(name string) (message.Subscriber, error) {
	c, known := t.consumers[name]
	if !known {
		return nil, fmt.Errorf("kafka: %q is no consumer of this process", name)
	}
	return subscriber{c}, nil
}

// Standing implements driver.Transport.
func (t *Transport) Standing(ctx context.Context) (driver.Standing, error) {
	var s driver.Standing
	for _, name := range slices.Sorted(maps.Keys(t.consumers)) { // told in the same order each time
		c := t.consumers[name]
		ends, err := c.ends(ctx, t.admin)
		if err != nil {
			return s, fmt.Errorf("kafka: %w", err)
		}
		s.Lag = append(s.Lag, c.lag(ends)...)
		s.Degraded = append(append(s.Degraded, c.hindered()...), c.degraded(ends)...)
	}
	return s, nil
}

// Drain implements driver.Transport.
func (t *Transport) Drain(ctx context.Context) error {
	return keyed.DrainAll(t.consumers, func(c *consumer) error { return c.drain(ctx) })
}

// Close implements driver.Transport.
func (t *Transport) Close() error {
	var closing sync.WaitGroup
	for _, c := range t.consumers {
		closing.Go(c.close)
	}
	closing.Wait()
	t.client.Close()
	return nil
}
