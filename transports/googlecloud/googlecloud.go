// Package googlecloud is the transport over Google Cloud Pub/Sub. It keeps watermill-googlecloud's format, so that stock
// Watermill reads what it writes and the other way round. Publishing uses the client library itself: the stock publisher waits
// for each message's answer before it sends the next (86 messages a second).
//
// What is published before a subscription exists is gone for it: opening the transport makes the subscriptions of every
// consumer of the platform, those of other processes too, before anything can be published.
package googlecloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/pubsub"
	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/sync/errgroup"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

// Driver is the transport of the googlecloud profile. Pub/Sub keeps messages for 31 days at most: recorded events stay in the
// outboxes.
var Driver = driver.Driver{
	Name: "googlecloud", Capabilities: driver.Capabilities{BetweenProcesses: true}, Open: open, Admin: openAdmin,
}

var (
	_ driver.Transport   = (*Transport)(nil)
	_ message.Publisher  = publisher{}
	_ message.Subscriber = subscriber{}
)

const (
	ackDeadline = 10 * time.Second   // extended by as much at a time: what the messages of a process that died wait, or those on their way to one that leaves
	retention   = 7 * 24 * time.Hour // of what a consumer has not acknowledged: the longest that the client library documents
	creators    = 16

	closeTimeout = 5 * time.Second // for what consumers give back to reach Pub/Sub
)

// Transport is the connection of one process to Pub/Sub.
type Transport struct {
	client    *pubsub.Client
	publisher publisher
	consumers map[string]*consumer
	probe     string // a topic to ask for
	closing   sync.Once
	end       context.CancelFunc // ends publishing
}

func open(ctx context.Context, o driver.Options) (driver.Transport, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	c := o.Config.GoogleCloud
	client, err := connect(ctx, c)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	t := &Transport{client: client, publisher: publisher{client, life}, consumers: map[string]*consumer{}, end: end}
	if err := t.prepare(ctx, o); err != nil {
		return nil, errors.Join(explain(c, err), client.Close())
	}
	for name, topics := range o.Consumers {
		t.consumers[name] = newConsumer(client, name, topics, o)
	}
	return t, nil
}

func connect(ctx context.Context, c config.GoogleCloud) (*pubsub.Client, error) {
	if c.Project == "" {
		return nil, errors.New("transport.googlecloud.project is empty: name the project that owns the topics")
	}
	client, err := pubsub.NewClient(context.WithoutCancel(ctx), c.Project, clientOptions(c)...)
	if err != nil {
		return nil, fmt.Errorf("transport.googlecloud (credentials_file, or the environment's default credentials): %w", err)
	}
	return client, nil
}

func clientOptions(c config.GoogleCloud) []option.ClientOption {
	var options []option.ClientOption
	if c.Endpoint != "" {
		options = append(options, option.WithEndpoint(c.Endpoint), option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	}
	if c.CredentialsFile != "" {
		options = append(options, option.WithAuthCredentialsFile(option.ServiceAccount, c.CredentialsFile))
	}
	return options
}

// prepare makes the topics, and on each the subscriptions of all its consumers.
func (t *Transport) prepare(ctx context.Context, o driver.Options) error {
	if len(o.Topics) == 0 {
		return nil
	}
	t.probe = o.Topics[0].Name
	first, cancel := context.WithTimeout(ctx, driver.AnswerTimeout) // does anybody answer?
	defer cancel()
	if err := t.makeTopic(first, t.probe); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for _, topic := range o.Topics {
		group.Go(func() error {
			if err := t.makeTopic(ctx, topic.Name); err != nil {
				return err
			}
			for _, hearer := range o.Hearers(topic.Name) {
				if err := t.makeSubscription(ctx, topic.Name, hearer); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (t *Transport) makeTopic(ctx context.Context, topic string) error {
	_, err := t.client.CreateTopic(ctx, topic)
	if status.Code(err) == codes.AlreadyExists {
		return nil
	}
	if status.Code(err) == codes.PermissionDenied { // somebody else makes them
		exists, e := t.client.Topic(topic).Exists(ctx)
		if e == nil && exists {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	return nil
}

// subscriptionOf names the subscription of a consumer (interfaces.md, "Names outside").
func subscriptionOf(topic, consumer string) string { return topic + "-" + consumer }

func (t *Transport) makeSubscription(ctx context.Context, topic, consumer string) error {
	name := subscriptionOf(topic, consumer)
	_, err := t.client.CreateSubscription(ctx, name, pubsub.SubscriptionConfig{
		Topic: t.client.Topic(topic), EnableMessageOrdering: true, AckDeadline: ackDeadline, RetentionDuration: retention, ExpirationPolicy: time.Duration(0),
	})
	if err == nil {
		return nil
	}
	if code := status.Code(err); code != codes.AlreadyExists && code != codes.PermissionDenied {
		return fmt.Errorf("subscription %s: %w", name, err)
	}
	have, e := t.client.Subscription(name).Config(ctx)
	if e != nil {
		return fmt.Errorf("subscription %s: %w", name, e)
	}
	if flaw, remedy := flawOf(have, topic); flaw != "" {
		return fmt.Errorf("the subscription %s %s: %s", name, flaw, remedy)
	}
	return nil
}

// explain names the setting that an error of the first calls is about.
func explain(c config.GoogleCloud, err error) error {
	at := "Google Cloud Pub/Sub"
	if c.Endpoint != "" {
		at = "Pub/Sub at " + c.Endpoint
	}
	switch status.Code(errors.Unwrap(err)) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return fmt.Errorf("%s does not answer (transport.googlecloud.endpoint, or PUBSUB_EMULATOR_HOST): %w", at, err)
	case codes.Unauthenticated, codes.PermissionDenied:
		return fmt.Errorf("%s refuses these credentials in project %q (transport.googlecloud.credentials_file, project): %w", at, c.Project, err)
	case codes.NotFound:
		return fmt.Errorf("%s knows no project %q (transport.googlecloud.project): %w", at, c.Project, err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s does not answer (transport.googlecloud.endpoint, or PUBSUB_EMULATOR_HOST): %w", at, err)
	}
	return fmt.Errorf("%s (transport.googlecloud): %w", at, err)
}

// Publisher implements driver.Transport.
func (t *Transport) Publisher() message.Publisher { return t.publisher }

// Subscriber implements driver.Transport.
func (t *Transport) Subscriber(name string) (message.Subscriber, error) {
	c, known := t.consumers[name]
	if !known {
		return nil, fmt.Errorf("googlecloud: %q is no consumer of this process", name)
	}
	return subscriber{c}, nil
}

// Standing implements driver.Transport. Pub/Sub does not tell how many messages a subscription has: the lag is what this
// process has in hand.
func (t *Transport) Standing(ctx context.Context) (driver.Standing, error) {
	var s driver.Standing
	if t.probe != "" {
		if _, err := t.client.Topic(t.probe).Exists(ctx); err != nil {
			return s, fmt.Errorf("googlecloud: %w", err)
		}
	}
	for _, c := range t.consumers {
		s.Lag = append(s.Lag, c.lag()...)
		s.Degraded = append(s.Degraded, c.degraded()...)
	}
	slices.Sort(s.Degraded)
	return s, nil
}

// Drain implements driver.Transport.
func (t *Transport) Drain(ctx context.Context) error {
	return keyed.DrainAll(t.consumers, func(c *consumer) error { return c.drain(ctx) })
}

// Close implements driver.Transport.
func (t *Transport) Close() (err error) {
	t.closing.Do(func() {
		t.end()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			var closing sync.WaitGroup
			for _, c := range t.consumers {
				closing.Go(c.close)
			}
			closing.Wait()
		}()
		select {
		case <-ended:
		case <-time.After(closeTimeout): // Pub/Sub is away: the client's pauses between its attempts, up to a minute, cannot be ended
		}
		err = t.client.Close()
	})
	return err
}
