package keyed

import (
	"context"
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

	life     context.Context
	end      context.CancelFunc
	inlets   map[string]chan *message.Message
	forwards sync.WaitGroup
}

// NewConsumer prepares a consumer of some topics.
func NewConsumer(name string, topics []string, o Options) *Consumer {
	c := &Consumer{Name: name, Engine: New(o), inlets: make(map[string]chan *message.Message, len(topics))}
	c.life, c.end = context.WithCancel(context.Background())
	for _, topic := range topics {
		c.inlets[topic] = make(chan *message.Message)
	}
	return c
}

// Topics are what the consumer hears, sorted.
func (c *Consumer) Topics() []string { return slices.Sorted(maps.Keys(c.inlets)) }

// Inlet is where the messages of a topic go; nil if the consumer does not hear it.
func (c *Consumer) Inlet(topic string) chan<- *message.Message { return c.inlets[topic] }

// Subscribe gives the messages of a topic until ctx ends; then they wait for the next subscription.
func (c *Consumer) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	inlet, hears := c.inlets[topic]
	if !hears {
		return nil, fmt.Errorf("%s does not hear %s", c.Name, topic)
	}
	if c.life.Err() != nil {
		return nil, ErrClosed
	}
	out := make(chan *message.Message)
	c.forwards.Go(func() {
		defer close(out)
		forward(ctx, c.life, inlet, out)
	})
	return out, nil
}

// forward stands between the engine and the reader, so that the reader's channel can be closed while deliveries wait.
func forward(ctx, life context.Context, in <-chan *message.Message, out chan<- *message.Message) {
	for {
		var msg *message.Message
		select {
		case msg = <-in:
		case <-ctx.Done():
			return
		case <-life.Done():
			return
		}
		select {
		case out <- msg:
		case <-ctx.Done():
			msg.Nack()
			return
		case <-life.Done():
			msg.Nack()
			return
		}
	}
}

// Close ends subscriptions and deliveries; it returns when none runs any more.
func (c *Consumer) Close() {
	c.end()
	c.Engine.Close()
	c.forwards.Wait()
}
