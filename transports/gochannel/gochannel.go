// Package gochannel is the transport inside one process: Go channels, no broker. A message is taken when every consumer of
// its topic has a durable outcome for it, because nothing but the outbox would bring it back after a crash.
//
// Watermill's own gochannel cannot be used for that: unordered without waiting, one message per topic with it, and its
// Publish returns nil for messages that nobody got.
package gochannel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

// Driver is the transport of the local profile.
var Driver = driver.Driver{Name: "gochannel", Open: open}

var (
	_ driver.Transport   = (*Transport)(nil)
	_ message.Publisher  = publisher{}
	_ message.Subscriber = subscriber{}
)

// patience is how long a publication waits for a consumer that finishes nothing at all before it is left behind.
const patience = 5 * time.Second

func open(_ context.Context, o driver.Options) (driver.Transport, error) {
	return New(o, patience), nil
}

// Transport is the channels of one process.
type Transport struct {
	log       *slog.Logger
	patience  time.Duration
	ctx       context.Context
	cancel    context.CancelFunc
	consumers map[string]*consumer
	byTopic   map[string][]*consumer
}

// New opens the channels for the consumers of o. wait is how long Publish waits for a consumer that finishes nothing; with 0
// it waits for none, and returns when the messages are in the consumers' windows: for tests that publish before they subscribe.
func New(o driver.Options, wait time.Duration) *Transport {
	t := &Transport{log: o.Logger, patience: wait, consumers: map[string]*consumer{}, byTopic: map[string][]*consumer{}}
	if t.log == nil {
		t.log = slog.Default()
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	for name, topics := range o.Consumers {
		c := newConsumer(name, topics, o)
		t.consumers[name] = c
		for _, topic := range topics {
			t.byTopic[topic] = append(t.byTopic[topic], c)
		}
	}
	return t
}

// Publisher implements driver.Transport.
func (t *Transport) Publisher() message.Publisher { return publisher{t} }

type publisher struct{ t *Transport }

// Close does nothing: the transport is closed as a whole. Watermill closes publishers that it shares.
func (publisher) Close() error { return nil }

// Publish hands the messages to every consumer of the topic and returns when each has acknowledged all of them, or
// driver.ErrLeftBehind when one could not for a while.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	t := p.t
	var wg sync.WaitGroup
	results := make([]error, len(t.byTopic[topic]))
	for i, c := range t.byTopic[topic] {
		if i == len(results)-1 {
			results[i] = t.deliver(c, topic, messages) // the last one needs no goroutine
			break
		}
		wg.Go(func() { results[i] = t.deliver(c, topic, messages) })
	}
	wg.Wait()
	return errors.Join(results...)
}

// deliver brings the messages to one consumer and waits for its acknowledgements.
func (t *Transport) deliver(c *consumer, topic string, messages []*message.Message) error {
	round, err := roundOf(messages[0])
	if err != nil {
		return err
	}
	if messages[0].Metadata.Get(driver.AgainMetadata) != "" && !c.wasBehind(topic) {
		return nil // it took them when the others did
	}
	if c.isBehind(topic, round) {
		return driver.ErrLeftBehind
	}
	ctx, cancel := context.WithCancelCause(t.ctx)
	defer cancel(nil)
	if t.patience > 0 {
		defer t.watch(c, cancel)()
	}

	done := make(chan struct{}, len(messages))
	tickets := make([]*keyed.Ticket, 0, len(messages))
	for _, msg := range messages {
		ticket, err := c.Engine.Add(ctx, keyed.Item{
			Key: msg.Metadata.Get(driver.KeyMetadata), Message: msg.Copy(), To: c.Outlet(topic),
			Done: func() { c.noteProgress(); done <- struct{}{} },
		})
		if err != nil {
			return t.giveUp(ctx, c, topic, round, tickets, err)
		}
		tickets = append(tickets, ticket)
	}
	if t.patience == 0 {
		return nil
	}
	for range tickets {
		select {
		case <-done:
		case <-ctx.Done():
			return t.giveUp(ctx, c, topic, round, tickets, ctx.Err())
		}
	}
	return nil
}

// watch cancels a delivery once its consumer has finished nothing at all for as long as patience lasts.
func (t *Transport) watch(c *consumer, cancel context.CancelCauseFunc) (stop func()) {
	began := time.Now()
	var timer *time.Timer
	var over bool
	var mu sync.Mutex // the timer may fire before it is assigned, or while the delivery ends
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(t.patience, func() {
		mu.Lock()
		defer mu.Unlock()
		idle := time.Since(c.lastProgress(began))
		switch {
		case over:
		case idle >= t.patience:
			cancel(driver.ErrLeftBehind)
		default:
			timer.Reset(t.patience - idle)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		timer.Stop()
	}
}

// giveUp withdraws what was not delivered yet and tells why the messages were not taken.
func (t *Transport) giveUp(ctx context.Context, c *consumer, topic string, round int64, tickets []*keyed.Ticket, err error) error {
	c.Engine.Withdraw(tickets)
	if errors.Is(context.Cause(ctx), driver.ErrLeftBehind) {
		if c.leaveBehind(topic, round) {
			t.log.Warn("a consumer takes no events for now; the others go on, and it gets what it missed later", "consumer", c.Name, "topic", topic, "waited", t.patience)
		}
		return driver.ErrLeftBehind
	}
	return fmt.Errorf("gochannel: handing %s to %s: %w", topic, c.Name, err)
}

func roundOf(msg *message.Message) (int64, error) {
	text := msg.Metadata.Get(driver.RoundMetadata)
	if text == "" {
		return 0, nil
	}
	round, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("gochannel: metadata %s: %w", driver.RoundMetadata, err)
	}
	return round, nil
}

// Subscriber implements driver.Transport.
func (t *Transport) Subscriber(name string) (message.Subscriber, error) {
	c, known := t.consumers[name]
	if !known {
		return nil, fmt.Errorf("gochannel: %q is no consumer of this process", name)
	}
	return subscriber{c.Consumer}, nil
}

// subscriber is the consumer as Watermill sees it.
type subscriber struct{ *keyed.Consumer }

// Close does nothing: the transport is closed as a whole.
func (subscriber) Close() error { return nil }

// Standing implements driver.Transport: what consumers have not taken is in the outboxes.
func (t *Transport) Standing(context.Context) (driver.Standing, error) { return driver.Standing{}, nil }

// Drain implements driver.Transport.
func (t *Transport) Drain(ctx context.Context) error {
	return keyed.DrainAll(t.consumers, func(c *consumer) error { return c.Engine.Drain(ctx) })
}

// Close implements driver.Transport.
func (t *Transport) Close() error {
	t.cancel()
	for _, c := range t.consumers {
		c.Close()
	}
	return nil
}
