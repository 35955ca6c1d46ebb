package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"

	"github.com/first-viscount/viscount/router"
)

// stockChain are the middlewares of Watermill that do what ours do, as far as there are any: it has none that decodes,
// validates, measures or traces.
func stockChain(poison message.Publisher) ([]message.HandlerMiddleware, error) {
	queue, err := middleware.PoisonQueue(poison, "bench.poison")
	if err != nil {
		return nil, err
	}
	return []message.HandlerMiddleware{
		middleware.Recoverer, queue, middleware.CorrelationID,
		middleware.Retry{MaxRetries: 3, InitialInterval: 20 * time.Millisecond}.Middleware,
		middleware.Timeout(30 * time.Second), middleware.Recoverer,
	}, nil
}

// stockConsume consumes with a stock subscriber, and closes it.
func (b *bench) stockConsume(ctx context.Context, sub message.Subscriber, c consumption, chain []message.HandlerMiddleware) (float64, error) {
	rate, err := b.route(ctx, sub, c.topic, chain, c.meter(b), func(*message.Message) error {
		c.handle()
		return nil
	}, nil)
	return rate, errors.Join(err, sub.Close())
}

func sequenceOf(msg *message.Message) int64 {
	return parseSequence(msg.Metadata.Get(router.MetaSequence))
}

// parseSequence answers 0 for what is no number, which breaks the order.
func parseSequence(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// pool hands work to as many goroutines as ours has keys in flight, in no order: the ceiling of a client alone.
func pool(c consumption, m *meter) (add func(), wait func()) {
	if c.work == 0 {
		return m.tick, func() {}
	}
	slots := make(chan struct{}, keysInFlight)
	return func() {
			slots <- struct{}{}
			go func() {
				c.handle()
				m.tick()
				<-slots
			}()
		}, func() {
			for range keysInFlight {
				slots <- struct{}{}
			}
		}
}
