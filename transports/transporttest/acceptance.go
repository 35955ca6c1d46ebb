package transporttest

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/first-viscount/viscount/transports/driver"
)

// RunWatermill runs Watermill's own suite.
func RunWatermill(t *testing.T, s Setup) {
	c := s.Driver.Capabilities
	features := tests.Features{
		ConsumerGroups: c.BetweenProcesses, GuaranteedOrder: !s.Sluggish, Persistent: c.BetweenProcesses,
		ExactlyOnceDelivery: !c.BetweenProcesses, RequireSingleInstance: !c.BetweenProcesses, ForceShort: s.Short,
	}
	group := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		p := newStock(t, s, group)
		if !c.BetweenProcesses {
			return p, p
		}
		return p, newStock(t, s, group) // each is closed by itself
	}
	tests.TestPubSub(t, features, func(t *testing.T) (message.Publisher, message.Subscriber) { return group(t, "shared") }, group)
}

// stock is a driver as Watermill's suite sees a Pub/Sub: topics come as they are named, every subscription is an instance of
// the group, and what is published has the payload as its key.
type stock struct {
	s     Setup
	group string

	mu         sync.Mutex
	closed     bool
	publishing map[string]driver.Transport // by topic
	open       []driver.Transport
	reading    map[string]chan *message.Message // by topic, inside one process: one reader, however often it subscribes
	watching   sync.WaitGroup
}

func newStock(t *testing.T, s Setup, group string) *stock {
	p := &stock{s: s, group: group, publishing: map[string]driver.Transport{}, reading: map[string]chan *message.Message{}}
	t.Cleanup(func() { // TestPublishSubscribeInOrder closes its ten subscribers before it has them
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// consumer is the group as a consumer: all instances of one hear the same topics.
func (p *stock) consumer(topic string) string { return p.group + "-" + topic }

var errClosed = errors.New("transporttest: closed")

func (p *stock) transport(topic string, hears bool) (driver.Transport, error) {
	c := p.s.Config
	c.ConsumerPrefix = "wm"
	audience := map[string][]string{p.consumer(topic): {topic}}
	o := driver.Options{Config: c, Audience: audience, Topics: []driver.Topic{{Name: topic}}, KeysInFlight: 4096, Logger: slog.New(slog.DiscardHandler)}
	o.Redeliver = func(int) time.Duration { return time.Millisecond } // the suite refuses hundreds of times, one after the other
	if hears || !p.s.Driver.Capabilities.BetweenProcesses {
		o.Consumers = audience
	}
	tr, err := p.s.Driver.Open(context.Background(), o)
	if err == nil {
		p.open = append(p.open, tr)
	}
	return tr, err
}

// publisher is the transport that publishes to a topic; inside one process also the one that delivers it.
func (p *stock) publisher(topic string) (driver.Transport, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if tr := p.publishing[topic]; tr != nil {
		return tr, nil
	}
	tr, err := p.transport(topic, false)
	if err == nil {
		p.publishing[topic] = tr
	}
	return tr, err
}

// SubscribeInitialize creates the topic and what the group needs on it.
func (p *stock) SubscribeInitialize(topic string) error {
	_, err := p.publisher(topic)
	return err
}

func (p *stock) Publish(topic string, messages ...*message.Message) error {
	tr, err := p.publisher(topic)
	if err != nil {
		return err
	}
	keyed := make([]*message.Message, len(messages))
	for i, msg := range messages {
		keyed[i] = msg.Copy()
		keyed[i].Metadata.Set(driver.KeyMetadata, string(msg.Payload))
		if p.s.Sluggish {
			keyed[i].Metadata.Set(driver.KeyMetadata, msg.UUID)
		}
	}
	return tr.Publisher().Publish(topic, keyed...)
}

func (p *stock) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	oneProcess := !p.s.Driver.Capabilities.BetweenProcesses
	if out := p.reader(topic); oneProcess && out != nil {
		return out, nil
	}
	tr, err := p.instance(topic)
	if err != nil {
		return nil, err
	}
	sub, err := tr.Subscriber(p.consumer(topic))
	if err != nil {
		return nil, err
	}
	in, err := sub.Subscribe(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	p.setReader(topic, out)
	p.watching.Go(func() {
		defer close(out)
		for msg := range in {
			select {
			case out <- msg:
			case <-ctx.Done():
				msg.Nack()
			case <-msg.Context().Done():
			}
		}
		p.setReader(topic, nil)
		if !oneProcess {
			_ = p.leave(tr)
		}
	})
	return out, nil
}

func (p *stock) reader(topic string) chan *message.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reading[topic]
}

func (p *stock) setReader(topic string, out chan *message.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading[topic] = out
}

// instance is another process of the group.
func (p *stock) instance(topic string) (driver.Transport, error) {
	if !p.s.Driver.Capabilities.BetweenProcesses {
		return p.publisher(topic)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	return p.transport(topic, true)
}

func (p *stock) leave(tr driver.Transport) error {
	p.mu.Lock()
	i := slices.Index(p.open, tr)
	if i >= 0 {
		p.open = slices.Delete(p.open, i, i+1)
	}
	p.mu.Unlock()
	if i < 0 {
		return nil
	}
	return tr.Close()
}

func (p *stock) Close() error {
	p.mu.Lock()
	open := p.open
	p.open, p.closed = nil, true
	p.mu.Unlock()
	var errs []error
	for _, tr := range open {
		errs = append(errs, tr.Close())
	}
	p.watching.Wait()
	return errors.Join(errs...)
}

var (
	_ message.Publisher            = (*stock)(nil)
	_ message.SubscribeInitializer = (*stock)(nil)
)
