package googlecloud_test

import (
	"testing"
	"time"

	"cloud.google.com/go/pubsub"
	"github.com/stretchr/testify/require"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/googlecloud"
	"github.com/first-viscount/viscount/transports/googlecloud/googlecloudtest"
)

// Topics and the subscriptions of every consumer follow the contracts and routes; what cannot be set is shown as drift.
func TestTopicsAsCode(t *testing.T) {
	c := configured(t)
	c.GoogleCloud.Endpoint = googlecloudtest.Fake(t) // the emulator cannot change when a subscription expires
	o := driver.Options{
		Config: c, Topics: []driver.Topic{{Name: "a.v1"}, {Name: "b.v1"}},
		Audience: map[string][]string{"reader": {"a.v1", "b.v1"}, "other": {"b.v1"}},
	}
	a, err := googlecloud.Driver.Admin(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	planned := func() (list []string) {
		t.Helper()
		changes, err := a.Plan(t.Context())
		require.NoError(t, err)
		for _, change := range changes {
			require.Equal(t, change.Action == driver.Drift, change.Remedy != "", "a drift tells what a person can do")
			list = append(list, change.Action+" "+change.Topic+": "+change.Detail)
		}
		return list
	}
	apply := func() {
		t.Helper()
		changes, err := a.Plan(t.Context())
		require.NoError(t, err)
		require.NoError(t, a.Apply(t.Context(), changes))
	}
	require.Equal(t, []string{
		"create a.v1: the topic", "create a.v1: the subscription a.v1-test-reader, ordered, retention 7 days",
		"create b.v1: the topic", "create b.v1: the subscription b.v1-test-other, ordered, retention 7 days",
		"create b.v1: the subscription b.v1-test-reader, ordered, retention 7 days",
	}, planned())
	apply()
	require.Empty(t, planned())
	states, err := a.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, driver.TopicState{Topic: "b.v1", Exists: true, Retention: "7 days", Events: driver.Untold, Consumers: []string{"test-other", "test-reader"}}, states[1])

	client := clientOf(t, c)
	_, err = client.Subscription("b.v1-test-other").Update(t.Context(), pubsub.SubscriptionConfigToUpdate{RetentionDuration: time.Hour * 24, ExpirationPolicy: 31 * 24 * time.Hour})
	require.NoError(t, err)
	unordered := client.Subscription("b.v1-test-reader")
	require.NoError(t, unordered.Delete(t.Context()))
	_, err = client.CreateSubscription(t.Context(), unordered.ID(), pubsub.SubscriptionConfig{Topic: client.Topic("b.v1")})
	require.NoError(t, err)
	require.NoError(t, client.Subscription("a.v1-test-reader").Delete(t.Context()))
	_, err = client.CreateSubscription(t.Context(), "a.v1-test-reader", pubsub.SubscriptionConfig{Topic: client.Topic("b.v1"), EnableMessageOrdering: true})
	require.NoError(t, err)
	drift := []string{
		"drift a.v1: the subscription a.v1-test-reader hears another topic, or one that was deleted",
		"drift b.v1: the subscription b.v1-test-reader was made without message ordering, which cannot be switched on later",
	}
	require.Equal(t, []string{drift[0], "set b.v1: the subscription b.v1-test-other: retention 1 day → 7 days, deleted when idle for 31 days → never", drift[1]}, planned())
	apply()
	require.Equal(t, drift, planned(), "what differs for good is a person's business")
	filtered := client.Subscription("b.v1-test-other")
	require.NoError(t, filtered.Delete(t.Context()))
	_, err = client.CreateSubscription(t.Context(), filtered.ID(), pubsub.SubscriptionConfig{Topic: client.Topic("b.v1"), EnableMessageOrdering: true, Filter: `attributes:x`})
	require.NoError(t, err)
	require.Equal(t, []string{drift[0], "drift b.v1: the subscription b.v1-test-other has a filter, which cannot be taken away later: what it leaves out never comes", drift[1]}, planned())
	require.NoError(t, filtered.Delete(t.Context()))
	apply()
	o.Config = c
	_, err = googlecloud.Driver.Open(t.Context(), o)
	require.ErrorContains(t, err, "delete it, and run viscount topics apply", "and no process starts on either")
	require.NoError(t, unordered.Delete(t.Context()))
	require.NoError(t, client.Subscription("a.v1-test-reader").Delete(t.Context()))
	apply()
	require.Empty(t, planned())
}

func clientOf(t *testing.T, c config.Transport) *pubsub.Client {
	client, err := pubsub.NewClient(t.Context(), c.GoogleCloud.Project, option.WithEndpoint(c.GoogleCloud.Endpoint), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

// A subscription that delivers elsewhere hands its consumer nothing: it is drift, and no process starts on it. One with a
// dead-letter policy hands over what it has not taken away: drift alone.
func TestEventsThatGoElsewhereAreToldAsDrift(t *testing.T) {
	c := configured(t)
	c.GoogleCloud.Endpoint = googlecloudtest.Fake(t) // the emulator knows no BigQuery
	o := driver.Options{Config: c, Topics: []driver.Topic{{Name: "a.v1"}}, Audience: map[string][]string{"reader": {"a.v1"}}}
	a, err := googlecloud.Driver.Admin(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	client := clientOf(t, c)
	topic, err := client.CreateTopic(t.Context(), "a.v1")
	require.NoError(t, err)
	dead, err := client.CreateTopic(t.Context(), "dead")
	require.NoError(t, err)
	transform := []pubsub.MessageTransform{{Transform: pubsub.JavaScriptUDF{FunctionName: "drop", Code: "function drop(message, metadata) { return null; }"}}}
	for _, one := range []struct {
		have                  pubsub.SubscriptionConfig
		detail, remedy, start string
	}{
		{
			pubsub.SubscriptionConfig{PushConfig: pubsub.PushConfig{Endpoint: "https://shop.example/hook?token=secret"}},
			"pushes to https://shop.example/hook: its consumer hears nothing", "update a.v1-test-reader --push-endpoint=)", "make it a pull subscription",
		},
		{
			pubsub.SubscriptionConfig{BigQueryConfig: pubsub.BigQueryConfig{Table: "p.d.events"}},
			"writes to BigQuery, table p.d.events: its consumer hears nothing", "--clear-bigquery-config", "make it a pull subscription",
		},
		{
			pubsub.SubscriptionConfig{CloudStorageConfig: pubsub.CloudStorageConfig{Bucket: "events"}},
			"writes to Cloud Storage, bucket events: its consumer hears nothing", "--clear-cloud-storage-config", "make it a pull subscription",
		},
		{
			pubsub.SubscriptionConfig{MessageTransforms: transform},
			"has a message transform: events come changed, or not at all", "under Transforms of the subscription", "delete it",
		},
		{
			pubsub.SubscriptionConfig{DeadLetterPolicy: &pubsub.DeadLetterPolicy{DeadLetterTopic: dead.String(), MaxDeliveryAttempts: 5}},
			"has a dead-letter policy: after 5 deliveries an event goes to " + dead.String() + ", and is lost to its consumer", "update a.v1-test-reader --clear-dead-letter-policy)", "",
		},
	} {
		one.have.Topic, one.have.EnableMessageOrdering, one.have.ExpirationPolicy = topic, true, time.Duration(0)
		made, err := client.CreateSubscription(t.Context(), "a.v1-test-reader", one.have)
		require.NoError(t, err)
		plan, err := a.Plan(t.Context())
		require.NoError(t, err)
		require.Len(t, plan, 1, one.detail)
		require.Equal(t, driver.Change{Topic: "a.v1", Action: driver.Drift, Detail: "the subscription a.v1-test-reader " + one.detail, Remedy: plan[0].Remedy}, plan[0])
		require.Contains(t, plan[0].Remedy, one.remedy)
		started, err := googlecloud.Driver.Open(t.Context(), o)
		if one.start == "" {
			require.NoError(t, err)
			require.NoError(t, started.Close())
		} else {
			require.ErrorContains(t, err, "the subscription a.v1-test-reader "+one.detail+": "+one.start)
		}
		require.NoError(t, made.Delete(t.Context()))
	}
}

// A topic that changes what is published is told, one whose transform is switched off is not.
func TestATransformOfATopicIsToldAsDrift(t *testing.T) {
	c := configured(t)
	c.GoogleCloud.Endpoint = googlecloudtest.Fake(t) // the emulator knows no transforms
	a, err := googlecloud.Driver.Admin(t.Context(), driver.Options{Config: c, Topics: []driver.Topic{{Name: "a.v1"}, {Name: "b.v1"}}})
	require.NoError(t, err)
	defer func() { require.NoError(t, a.Close()) }()
	client := clientOf(t, c)
	for topic, disabled := range map[string]bool{"a.v1": false, "b.v1": true} {
		transform := pubsub.MessageTransform{Transform: pubsub.JavaScriptUDF{FunctionName: "drop", Code: "function drop(message, metadata) { return null; }"}, Disabled: disabled}
		_, err := client.CreateTopicWithConfig(t.Context(), topic, &pubsub.TopicConfig{MessageTransforms: []pubsub.MessageTransform{transform}})
		require.NoError(t, err)
	}
	plan, err := a.Plan(t.Context())
	require.NoError(t, err)
	require.Equal(t, []driver.Change{{
		Topic: "a.v1", Action: driver.Drift, Detail: "the topic has a message transform: events come changed, or not at all",
		Remedy: "delete it in the Google Cloud console, under Transforms of the topic",
	}}, plan)
}

// A Pub/Sub that does not answer is told, with the setting.
func TestAdminNamesTheSetting(t *testing.T) {
	c := configured(t)
	c.GoogleCloud.Endpoint = "127.0.0.1:1"
	_, err := googlecloud.Driver.Admin(t.Context(), driver.Options{Config: c, Topics: []driver.Topic{{Name: "a.v1"}}})
	require.ErrorContains(t, err, "transport.googlecloud.endpoint")
}
