package main

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/driver"
)

const (
	keysInFlight = 512 // the default of router.keys_in_flight
	consumerName = "bench"
)

// consumption is what one contestant consumes, and how.
type consumption struct {
	topic        string
	work         time.Duration // of the handler
	warm, enough int           // messages
}

func (c consumption) meter(b *bench) *meter { return newMeter(c.warm, c.enough, b.limit) }

func (c consumption) handle() {
	if c.work > 0 {
		time.Sleep(c.work)
	}
}

// chained consumes as the platform does: the driver, Watermill's router, and the whole chain, whose transaction step runs on
// PostgreSQL if transacted is set and is left out otherwise. The order of each key is asserted.
func (b *bench) chained(ctx context.Context, d driver.Driver, config config.Transport, c consumption, transacted bool) (rate float64, err error) {
	useTopic(c.topic)
	m, o := c.meter(b), newOrder()
	contracts, err := catalogue()
	if err != nil {
		return 0, err
	}
	so := store.Options{Service: consumerName, Dir: b.dir, Catalogue: contracts, Logger: b.log}
	if transacted {
		so.Service, so.Postgres = b.name("store"), store.Postgres{URL: b.url}
	}
	st, err := store.Open(ctx, so)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	service, err := router.NewService(ctx, router.Consumer{Name: consumerName, Routes: []router.Route{
		router.On(func(_ context.Context, _ *store.Tx, e events.Event[payment]) error {
			k := o.begin(e.Data.OrderID, e.Sequence)
			c.handle()
			k.end()
			m.tick()
			return nil
		}),
	}}, st, router.Options{Logger: b.log, Untransacted: !transacted})
	if err != nil {
		return 0, err
	}
	t, err := b.open(ctx, d, config, c.topic)
	if err != nil {
		return 0, err
	}
	r, err := router.New([]*router.Service{service}, t.Subscriber, b.log)
	if err != nil {
		return 0, errors.Join(err, t.Close())
	}
	if err := r.Start(ctx); err != nil {
		return 0, errors.Join(err, t.Close())
	}
	rate, err = m.wait(ctx)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	return rate, errors.Join(err, r.StopWork(ending), t.Drain(ending), r.Close(), t.Close(), o.check())
}

// unchained is our driver under Watermill's bare router: what the chain is not part of.
func (b *bench) unchained(ctx context.Context, d driver.Driver, config config.Transport, c consumption) (float64, error) {
	m, o := c.meter(b), newOrder()
	t, err := b.open(ctx, d, config, c.topic)
	if err != nil {
		return 0, err
	}
	sub, err := t.Subscriber(consumerName)
	if err != nil {
		return 0, errors.Join(err, t.Close())
	}
	rate, err := b.route(ctx, sub, c.topic, nil, m, func(msg *message.Message) error {
		k := o.begin(msg.Metadata.Get(driver.KeyMetadata), sequenceOf(msg))
		c.handle()
		k.end()
		return nil
	}, func() error {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return t.Drain(ending)
	})
	return rate, errors.Join(err, t.Close(), o.check())
}

func (b *bench) open(ctx context.Context, d driver.Driver, config config.Transport, topic string) (driver.Transport, error) {
	return d.Open(ctx, driver.Options{
		Config: config, Consumers: map[string][]string{consumerName: {topic}}, Topics: []driver.Topic{{Name: topic}},
		KeysInFlight: keysInFlight, Logger: b.log,
	})
}

// route runs a handler on Watermill's router until the meter has its rate. drain comes before the router is closed.
func (b *bench) route(ctx context.Context, sub message.Subscriber, topic string, chain []message.HandlerMiddleware, m *meter, handle message.NoPublishHandlerFunc, drain func() error) (float64, error) {
	r, err := message.NewRouter(message.RouterConfig{CloseTimeout: 30 * time.Second}, watermill.NopLogger{})
	if err != nil {
		return 0, err
	}
	r.AddMiddleware(chain...)
	r.AddConsumerHandler(consumerName, topic, sub, func(msg *message.Message) error {
		err := handle(msg)
		m.tick()
		return err
	})
	ended := make(chan error, 1)
	go func() { ended <- r.Run(context.WithoutCancel(ctx)) }()
	rate, err := m.wait(ctx)
	if drain != nil {
		err = errors.Join(err, drain())
	}
	return rate, errors.Join(err, r.Close(), <-ended)
}
