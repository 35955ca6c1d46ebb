package googlecloud

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/pubsub"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/first-viscount/viscount/transports/driver"
)

// admin implements driver.Admin.
type admin struct {
	*Transport
	o driver.Options
}

func openAdmin(ctx context.Context, o driver.Options) (driver.Admin, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	client, err := connect(ctx, o.Config.GoogleCloud)
	if err != nil {
		return nil, err
	}
	a := &admin{&Transport{client: client}, o}
	if len(o.Topics) > 0 { // does anybody answer?
		ctx, cancel := context.WithTimeout(ctx, driver.AnswerTimeout)
		defer cancel()
		if _, err := a.exists(ctx, o.Topics[0].Name); err != nil {
			_ = client.Close() // nobody answers
			return nil, explain(o.Config.GoogleCloud, err)
		}
	}
	return a, nil
}

func (a *admin) exists(ctx context.Context, topic string) (bool, error) {
	exists, err := a.client.Topic(topic).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("topic %s: %w", topic, err)
	}
	return exists, nil
}

// difference is a change and what makes it; nil: a person.
type difference struct {
	driver.Change
	make func(ctx context.Context) error
}

// differences are those of all topics, in the order of making them.
func (a *admin) differences(ctx context.Context) ([]difference, error) {
	byTopic := make([][]difference, len(a.o.Topics))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for i, topic := range a.o.Topics {
		group.Go(func() (err error) {
			byTopic[i], err = a.compare(ctx, topic.Name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, explain(a.o.Config.GoogleCloud, err)
	}
	return slices.Concat(byTopic...), nil
}

// compare compares a topic and the subscriptions of its consumers with what they should be.
func (a *admin) compare(ctx context.Context, topic string) ([]difference, error) {
	var list []difference
	add := func(action, detail string, make func(ctx context.Context) error) {
		list = append(list, difference{driver.Change{Topic: topic, Action: action, Detail: detail}, make})
	}
	drift := func(detail, remedy string) {
		list = append(list, difference{Change: driver.Change{Topic: topic, Action: driver.Drift, Detail: detail, Remedy: remedy}})
	}
	exists, err := a.exists(ctx, topic)
	if err != nil {
		return nil, err
	}
	if !exists {
		add("create", "the topic", func(ctx context.Context) error { return a.makeTopic(ctx, topic) })
	} else if config, err := a.client.Topic(topic).Config(ctx); err != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	} else if transformed(config.MessageTransforms) {
		drift("the topic has a message transform: "+changes, deleteTransform+"topic")
	}
	for _, hearer := range a.o.Hearers(topic) {
		name := subscriptionOf(topic, hearer)
		have, err := a.client.Subscription(name).Config(ctx)
		flaw, remedy := flawOf(have, topic)
		switch {
		case status.Code(err) == codes.NotFound:
			add("create", fmt.Sprintf("the subscription %s, ordered, retention %s", name, driver.RetentionText(retention)), func(ctx context.Context) error { return a.makeSubscription(ctx, topic, hearer) })
		case err != nil:
			return nil, fmt.Errorf("subscription %s: %w", name, err)
		case flaw != "":
			drift("the subscription "+name+" "+flaw, remedy)
		default:
			if p := have.DeadLetterPolicy; p != nil {
				drift(fmt.Sprintf("the subscription %s has a dead-letter policy: after %d deliveries an event goes to %s, and is lost to its consumer", name, p.MaxDeliveryAttempts, p.DeadLetterTopic),
					"clear the policy (gcloud pubsub subscriptions update "+name+" --clear-dead-letter-policy), and publish again what it took away")
			}
			if differ := differ(have); differ != "" {
				add("set", "the subscription "+name+": "+differ, func(ctx context.Context) error {
					_, err := a.client.Subscription(name).Update(ctx, pubsub.SubscriptionConfigToUpdate{AckDeadline: ackDeadline, RetentionDuration: retention, ExpirationPolicy: time.Duration(0)})
					return err
				})
			}
		}
	}
	return list, nil
}

// differ tells what of a subscription is not as it is made.
func differ(have pubsub.SubscriptionConfig) string {
	var list []string
	if have.RetentionDuration != retention {
		list = append(list, "retention "+driver.RetentionText(have.RetentionDuration)+" → "+driver.RetentionText(retention))
	}
	if have.AckDeadline != ackDeadline {
		list = append(list, fmt.Sprintf("ack deadline %v → %v", have.AckDeadline, ackDeadline))
	}
	if idle, expires := have.ExpirationPolicy.(time.Duration); expires && idle != 0 { // it goes, with what it holds, when its consumer stands still
		list = append(list, "deleted when idle for "+driver.RetentionText(idle)+" → never")
	}
	return strings.Join(list, ", ")
}

const (
	changes         = "events come changed, or not at all"
	deleteTransform = "delete it in the Google Cloud console, under Transforms of the "
)

// transformed tells whether Pub/Sub changes or drops messages on their way.
func transformed(list []pubsub.MessageTransform) bool {
	return slices.ContainsFunc(list, func(t pubsub.MessageTransform) bool { return !t.Disabled })
}

// flawOf is why a subscription cannot serve a topic's consumer, and what a person can do; empty: it can.
func flawOf(have pubsub.SubscriptionConfig, topic string) (flaw, remedy string) {
	const remake = "delete it, and run viscount topics apply; what it still holds is lost to its consumer"
	pull := func(flag string) string {
		return "make it a pull subscription (gcloud pubsub subscriptions update " + have.ID() + " " + flag + "); what it has delivered elsewhere is lost to its consumer"
	}
	switch {
	case have.Detached || have.Topic == nil || have.Topic.ID() != topic:
		return "hears another topic, or one that was deleted", remake
	case !have.EnableMessageOrdering:
		return "was made without message ordering, which cannot be switched on later", remake
	case have.Filter != "":
		return "has a filter, which cannot be taken away later: what it leaves out never comes", remake
	case transformed(have.MessageTransforms):
		return "has a message transform: " + changes, deleteTransform + "subscription; what it left out is lost to its consumer"
	case have.PushConfig.Endpoint != "":
		endpoint, _, _ := strings.Cut(have.PushConfig.Endpoint, "?") // what follows is often a secret
		return "pushes to " + endpoint + ": its consumer hears nothing", pull("--push-endpoint=")
	case have.BigQueryConfig.Table != "":
		return "writes to BigQuery, table " + have.BigQueryConfig.Table + ": its consumer hears nothing", pull("--clear-bigquery-config")
	case have.CloudStorageConfig.Bucket != "":
		return "writes to Cloud Storage, bucket " + have.CloudStorageConfig.Bucket + ": its consumer hears nothing", pull("--clear-cloud-storage-config")
	}
	return "", ""
}

// Plan implements driver.Admin.
func (a *admin) Plan(ctx context.Context) ([]driver.Change, error) {
	list, err := a.differences(ctx)
	if err != nil {
		return nil, err
	}
	var changes []driver.Change
	for _, d := range list {
		changes = append(changes, d.Change)
	}
	return changes, nil
}

// Apply implements driver.Admin: what is not as it was shown any more is left alone.
func (a *admin) Apply(ctx context.Context, changes []driver.Change) error {
	list, err := a.differences(ctx)
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.make == nil || !slices.Contains(changes, d.Change) {
			continue
		}
		if err := d.make(ctx); err != nil {
			return explain(a.o.Config.GoogleCloud, fmt.Errorf("%s: %s %s: %w", d.Topic, d.Action, d.Detail, err))
		}
	}
	return nil
}

// List implements driver.Admin. Pub/Sub has no partitions to show, and does not tell how many messages it holds.
func (a *admin) List(ctx context.Context) ([]driver.TopicState, error) {
	states := make([]driver.TopicState, len(a.o.Topics))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(creators)
	for i, topic := range a.o.Topics {
		group.Go(func() error {
			exists, err := a.exists(ctx, topic.Name)
			states[i] = driver.TopicState{Topic: topic.Name, Exists: exists, Retention: driver.RetentionText(retention), Events: driver.Untold, Consumers: a.o.Hearers(topic.Name)}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, explain(a.o.Config.GoogleCloud, err)
	}
	return states, nil
}

// Doctor implements driver.Admin. Pub/Sub keeps the positions of consumers itself; what can be wrong with it is in the plan.
func (a *admin) Doctor(context.Context) ([]driver.Finding, error) { return nil, nil }

// Close implements driver.Admin.
func (a *admin) Close() error { return a.client.Close() }
