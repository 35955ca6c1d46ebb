package gochannel

import (
	"sync"
	"time"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

// consumer is one service's side of the channels.
type consumer struct {
	*keyed.Consumer

	mu       sync.Mutex
	progress time.Time        // when it last finished a message
	missed   map[string]int64 // by topic: the latest round in which it was left behind
}

func newConsumer(name string, topics []string, o driver.Options) *consumer {
	c := &consumer{Consumer: keyed.NewConsumer(name, topics, keyed.Options{Keys: o.KeysInFlight, Redeliver: o.Redeliver}), missed: map[string]int64{}}
	for _, topic := range topics {
		c.missed[topic] = -1
	}
	return c
}

func (c *consumer) noteProgress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.progress = time.Now()
}

// lastProgress is when the consumer last finished a message, or since if that is later.
func (c *consumer) lastProgress(since time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.progress.After(since) {
		return c.progress
	}
	return since
}

// isBehind tells whether the topic was withheld from the consumer in this round: everything later in the round is, too, so
// that the next round brings all of it in order.
func (c *consumer) isBehind(topic string, round int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missed[topic] >= round
}

// wasBehind tells whether the consumer ever missed something of the topic.
func (c *consumer) wasBehind(topic string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missed[topic] >= 0
}

// leaveBehind withholds the topic for the rest of the round; it answers true the first time.
func (c *consumer) leaveBehind(topic string, round int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := c.missed[topic] < round
	c.missed[topic] = max(c.missed[topic], round)
	return first
}
