package googlecloud

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"cloud.google.com/go/pubsub"
	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

// consumer pulls the subscriptions of one consumer. Of each, Pub/Sub hands out the messages of a key in order, without waiting
// for acknowledgements, to the one instance that has unfinished ones, and repeats what follows one that it hands out again. (The
// emulator does not: what an instance that went away had comes late.) Another instance may have the key's messages of another
// topic: there the key's lock in the database keeps them apart. The engine does the rest.
type consumer struct {
	*keyed.Consumer
	client *pubsub.Client
	log    *slog.Logger
	group  string
	window int

	start   sync.Once
	stop    context.CancelFunc
	pulling sync.WaitGroup

	mu      sync.Mutex
	taken   map[*pubsub.Message]string // unfinished, and their topics
	refused map[string]refusal         // by topic, until it is read again
}

// refusal is why a subscription is not read.
type refusal struct {
	err   error
	since time.Time
}

// settled is how long a subscription is pulled from without a refusal until it counts as read: Pub/Sub does not tell of a pull that
// it accepts.
const settled = 5 * time.Second

func newConsumer(client *pubsub.Client, name string, topics []string, o driver.Options) *consumer {
	return &consumer{
		Consumer: keyed.NewConsumer(name, topics, keyed.Options{Keys: o.KeysInFlight, Redeliver: o.Redeliver}), client: client, log: o.Logger.With("consumer", name),
		group: o.ConsumerName(name), window: 4 * max(o.KeysInFlight, 1), taken: map[*pubsub.Message]string{}, refused: map[string]refusal{},
	}
}

// subscriber is the consumer as Watermill sees it.
type subscriber struct{ *consumer }

// Close does nothing: the transport is closed as a whole.
func (subscriber) Close() error { return nil }

// Subscribe gives the messages of a topic. The first subscription begins to pull all of the consumer's.
func (s subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	out, err := s.Consumer.Subscribe(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("googlecloud: %w", err)
	}
	s.start.Do(s.pull)
	return out, nil
}

func (c *consumer) pull() {
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	for _, topic := range c.Topics() {
		c.pulling.Go(func() {
			for ctx.Err() == nil {
				err := c.receive(ctx, topic)
				if err != nil && ctx.Err() == nil {
					c.log.Log(ctx, c.refuse(topic, err), "pulling from Pub/Sub; trying again", "topic", topic, "error", err)
					select {
					case <-ctx.Done():
					case <-time.After(time.Second):
					}
				}
			}
		})
	}
}

// receive pulls a subscription until ctx ends and every message is acknowledged or given back.
func (c *consumer) receive(ctx context.Context, topic string) error {
	sub := c.client.Subscription(subscriptionOf(topic, c.group))
	sub.ReceiveSettings.MaxOutstandingMessages = c.window
	sub.ReceiveSettings.MaxOutstandingBytes = -1
	sub.ReceiveSettings.NumGoroutines = 1
	sub.ReceiveSettings.MaxExtensionPeriod = ackDeadline
	accepted := time.AfterFunc(settled, func() { c.accept(topic) })
	defer accepted.Stop()
	return sub.Receive(ctx, func(ctx context.Context, in *pubsub.Message) { c.take(ctx, topic, in) })
}

// refuse notes why a topic's subscription is not read. The level is a warning's if that is new.
func (c *consumer) refuse(topic string, err error) slog.Level {
	c.mu.Lock()
	defer c.mu.Unlock()
	earlier, known := c.refused[topic]
	if !known {
		earlier.since = time.Now()
	}
	c.refused[topic] = refusal{err, earlier.since}
	if known && earlier.err.Error() == err.Error() {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// counts tells whether a person should hear of it: at once of what only a person ends, of anything else when it has lasted.
func (r refusal) counts() bool {
	switch status.Code(r.err) {
	case codes.NotFound, codes.PermissionDenied, codes.FailedPrecondition, codes.InvalidArgument:
		return true
	}
	return time.Since(r.since) >= 2*settled
}

func (c *consumer) accept(topic string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.refused, topic)
}

// degraded tells which subscriptions are not read.
func (c *consumer) degraded() (told []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, r := range c.refused {
		if !r.counts() {
			continue
		}
		line := fmt.Sprintf("%s does not read the subscription %s since %s: %v", c.Name, subscriptionOf(topic, c.group), r.since.Format(time.RFC3339), r.err)
		if status.Code(r.err) == codes.NotFound {
			line += "; viscount topics apply makes it again, without what it held"
		}
		told = append(told, line)
	}
	return told
}

// take hands a message to the engine. The client calls it once at a time for a key.
func (c *consumer) take(ctx context.Context, topic string, in *pubsub.Message) {
	msg, err := Marshaler{}.Unmarshal(in)
	if err != nil {
		in.Nack()
		return
	}
	c.mu.Lock()
	c.taken[in] = topic
	c.mu.Unlock()
	_, err = c.Engine.Add(ctx, keyed.Item{Key: in.OrderingKey, Message: msg, To: c.Outlet(topic), Done: func() {
		if c.forget(in) {
			in.Ack()
		}
	}})
	if err != nil && c.forget(in) { // stopping
		in.Nack()
	}
}

func (c *consumer) forget(in *pubsub.Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, mine := c.taken[in]
	delete(c.taken, in)
	return mine
}

// drain pulls nothing more, waits for what is in flight, and gives the rest back.
func (c *consumer) drain(ctx context.Context) error {
	if c.stop != nil {
		c.stop()
	}
	err := c.Engine.Drain(ctx)
	c.giveBack()
	return err
}

func (c *consumer) giveBack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for in := range c.taken {
		in.Nack()
	}
	clear(c.taken)
}

func (c *consumer) close() {
	c.start.Do(func() {}) // no later subscription pulls
	if c.stop != nil {
		c.stop()
	}
	c.Close()
	c.giveBack()
	c.pulling.Wait()
}

// lag is what was pulled and is not finished.
func (c *consumer) lag() []driver.Lag {
	c.mu.Lock()
	defer c.mu.Unlock()
	lags := map[string]*driver.Lag{}
	for in, topic := range c.taken {
		if lags[topic] == nil {
			lags[topic] = &driver.Lag{Consumer: c.Name, Topic: topic}
		}
		lags[topic].Events++
		lags[topic].Oldest = max(lags[topic].Oldest, time.Since(in.PublishTime))
	}
	out := make([]driver.Lag, 0, len(lags))
	for _, lag := range lags {
		out = append(out, *lag)
	}
	return out
}
