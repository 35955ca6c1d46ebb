package keyed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Consumer is one consumer's side of a transport: its engine and, per topic, the place where its messages are read.
type Consumer struct {
	Name   string
	Engine *Engine

	outlets map[string]*Outlet

	mu      sync.Mutex // no reader comes while Close waits for them
	life    context.Context
	end     context.CancelFunc
	readers sync.WaitGroup
}

// NewConsumer prepares a consumer of some topics.
func NewConsumer(name string, topics []string, o Options) *Consumer {
	c := &Consumer{Name: name, Engine: New(o), outlets: make(map[string]*Outlet, len(topics))}
	c.life, c.end = context.WithCancel(context.Background())
	for _, topic := range topics {
		c.outlets[topic] = c.Engine.NewOutlet()
	}
	return c
}

// Topics are what the consumer hears, sorted.
func (c *Consumer) Topics() []string { return slices.Sorted(maps.Keys(c.outlets)) }

// Outlet is where the messages of a topic are read; nil if the consumer does not hear it.
func (c *Consumer) Outlet(topic string) *Outlet { return c.outlets[topic] }

// Subscribe gives the messages of a topic until ctx ends; then they wait for the next subscription.
func (c *Consumer) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	outlet, hears := c.outlets[topic]
	if !hears {
		return nil, fmt.Errorf("%s does not hear %s", c.Name, topic)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.life.Err() != nil {
		return nil, ErrClosed
	}
	out, leave := outlet.Read()
	c.readers.Go(func() {
		select {
		case <-ctx.Done():
		case <-c.life.Done():
		}
		leave()
	})
	return out, nil
}

// Close ends subscriptions and deliveries; it returns when none runs any more.
func (c *Consumer) Close() {
	c.mu.Lock()
	c.end()
	c.mu.Unlock()
	c.Engine.Close()
	c.readers.Wait()
}

// DrainAll drains the consumers of a transport together: none takes messages while another one's handler is slow. Errors are
// joined in the order of the names.
func DrainAll[C any](consumers map[string]C, drain func(C) error) error {
	names := slices.Sorted(maps.Keys(consumers))
	errs := make([]error, len(names))
	var draining sync.WaitGroup
	for i, name := range names {
		draining.Go(func() { errs[i] = drain(consumers[name]) })
	}
	draining.Wait()
	return errors.Join(errs...)
}
