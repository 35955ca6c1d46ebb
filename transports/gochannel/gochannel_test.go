package gochannel_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/gochannel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 50 * time.Millisecond

func open(t *testing.T, consumers map[string][]string) *gochannel.Transport {
	t.Helper()
	tr := gochannel.New(driver.Options{Consumers: consumers, KeysInFlight: 16}, patience)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	return tr
}

func subscribe(t *testing.T, tr *gochannel.Transport, ctx context.Context, consumer, topic string) <-chan *message.Message {
	t.Helper()
	var sub message.Subscriber
	sub, err := tr.Subscriber(consumer)
	require.NoError(t, err)
	messages, err := sub.Subscribe(ctx, topic)
	require.NoError(t, err)
	return messages
}

func newMessage(key string, n int, round int64) *message.Message {
	msg := message.NewMessage(strconv.Itoa(n), nil)
	msg.Metadata.Set(driver.KeyMetadata, key)
	msg.Metadata.Set(driver.RoundMetadata, strconv.FormatInt(round, 10))
	return msg
}

// consumer acknowledges what it gets and remembers it.
type consumer struct {
	mu  sync.Mutex
	got []string
}

func (c *consumer) take(messages <-chan *message.Message) {
	for msg := range messages {
		c.mu.Lock()
		c.got = append(c.got, msg.UUID)
		c.mu.Unlock()
		msg.Ack()
	}
}

func (c *consumer) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.got...)
}

func TestPublishReturnsWhenEveryConsumerHasAcknowledged(t *testing.T) {
	tr := open(t, map[string][]string{"a": {"topic"}, "b": {"topic"}})
	a, b := subscribe(t, tr, t.Context(), "a", "topic"), subscribe(t, tr, t.Context(), "b", "topic")
	done := make(chan error, 1)
	go func() { done <- tr.Publisher().Publish("topic", newMessage("k", 1, 0)) }()
	first, second := <-a, <-b
	require.NotSame(t, first, second, "each consumer acknowledges its own copy")
	first.Ack()
	select {
	case err := <-done:
		t.Fatalf("Publish returned before the second acknowledgement: %v", err)
	case <-time.After(patience / 5):
	}
	second.Ack()
	require.NoError(t, <-done)
}

func TestATopicThatNobodyHearsIsTaken(t *testing.T) {
	tr := open(t, map[string][]string{"a": {"topic"}})
	require.NoError(t, tr.Publisher().Publish("another", newMessage("k", 1, 0)))
	_, err := tr.Subscriber("nobody")
	require.ErrorContains(t, err, "nobody")
	sub, err := tr.Subscriber("a")
	require.NoError(t, err)
	_, err = sub.Subscribe(t.Context(), "another")
	require.ErrorContains(t, err, "another")
}

func TestOrderOfAKeyOverAllTopicsOfAConsumer(t *testing.T) {
	tr := open(t, map[string][]string{"a": {"one", "two"}})
	var c consumer
	for _, topic := range []string{"one", "two"} {
		messages := subscribe(t, tr, t.Context(), "a", topic)
		go c.take(messages)
	}
	var keys sync.WaitGroup
	for k := range 5 {
		keys.Go(func() {
			for n := range 40 {
				topic := []string{"one", "two"}[n%2]
				if err := tr.Publisher().Publish(topic, newMessage(fmt.Sprint(k), 1000*k+n, 0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	keys.Wait()
	last := map[int]int{}
	for _, id := range c.all() {
		n, err := strconv.Atoi(id)
		require.NoError(t, err)
		require.Equal(t, last[n/1000], n%1000, "key %d", n/1000)
		last[n/1000]++
	}
	require.Len(t, c.all(), 200)
}

func TestAConsumerThatTakesNothingIsLeftBehindAndGetsItsMessagesInTheNextRound(t *testing.T) {
	tr := open(t, map[string][]string{"quick": {"topic"}, "stuck": {"topic"}})
	var quick, late consumer
	go quick.take(subscribe(t, tr, t.Context(), "quick", "topic"))
	publish := func(n int, round int64) error { return tr.Publisher().Publish("topic", newMessage("k", n, round)) }

	require.ErrorIs(t, publish(1, 0), driver.ErrLeftBehind)
	require.ErrorIs(t, publish(2, 0), driver.ErrLeftBehind, "the rest of the round is withheld")
	require.Equal(t, []string{"1", "2"}, quick.all(), "the others go on")

	go late.take(subscribe(t, tr, t.Context(), "stuck", "topic"))
	require.ErrorIs(t, publish(3, 0), driver.ErrLeftBehind, "order: not before those that it missed")
	for n := 1; n <= 3; n++ {
		msg := newMessage("k", n, 1)
		msg.Metadata.Set(driver.AgainMetadata, "true")
		require.NoError(t, tr.Publisher().Publish("topic", msg))
	}
	require.NoError(t, publish(4, 1))
	require.Equal(t, []string{"1", "2", "3", "4"}, quick.all(), "who took them before does not get them again")
	require.Equal(t, []string{"1", "2", "3", "4"}, slices.Compact(late.all()), "the first was on its way already, and is a duplicate for the inbox")
}

func TestARefusedMessageComesAgainBeforeTheNextOfItsKey(t *testing.T) {
	tr := open(t, map[string][]string{"a": {"topic"}})
	messages := subscribe(t, tr, t.Context(), "a", "topic")
	done := make(chan error, 1)
	go func() { done <- tr.Publisher().Publish("topic", newMessage("k", 1, 0), newMessage("k", 2, 0)) }()
	first := <-messages
	require.Equal(t, "1", first.UUID)
	first.Nack()
	again := <-messages
	require.Equal(t, "1", again.UUID)
	again.Ack()
	(<-messages).Ack()
	require.NoError(t, <-done)
}

func TestTheNextSubscriptionGetsWhatTheLastOneDidNotTake(t *testing.T) {
	tr := open(t, map[string][]string{"a": {"topic"}})
	ctx, cancel := context.WithCancel(t.Context())
	messages := subscribe(t, tr, ctx, "a", "topic")
	cancel()
	for range messages {
		t.Error("nothing was published")
	}
	done := make(chan error, 1)
	go func() { done <- tr.Publisher().Publish("topic", newMessage("k", 1, 0)) }()
	(<-subscribe(t, tr, t.Context(), "a", "topic")).Ack()
	require.NoError(t, <-done)
}

func TestCloseEndsAWaitingPublishWithAnError(t *testing.T) {
	tr := gochannel.New(driver.Options{Consumers: map[string][]string{"a": {"topic"}}, KeysInFlight: 1}, time.Hour)
	messages := subscribe(t, tr, t.Context(), "a", "topic")
	done := make(chan error, 1)
	go func() { done <- tr.Publisher().Publish("topic", newMessage("k", 1, 0)) }()
	<-messages
	require.NoError(t, tr.Close())
	require.Error(t, <-done, "nil would mark the event as taken")
	require.Error(t, tr.Publisher().Publish("topic", newMessage("k", 2, 0)))
}

func TestDrainLetsMessagesInFlightEnd(t *testing.T) {
	tr := open(t, map[string][]string{"a": {"topic"}})
	messages := subscribe(t, tr, t.Context(), "a", "topic")
	published := make(chan error, 1)
	go func() { published <- tr.Publisher().Publish("topic", newMessage("k", 1, 0)) }()
	msg := <-messages
	drained := make(chan error, 1)
	go func() { drained <- tr.Drain(t.Context()) }()
	require.NoError(t, msg.Context().Err(), "a message in flight is not cancelled")
	msg.Ack()
	require.NoError(t, <-drained)
	require.NoError(t, <-published)
}

func TestPublishingNothingIsNothing(t *testing.T) {
	tr := open(t, map[string][]string{"a": {"topic"}})
	require.NoError(t, tr.Publisher().Publish("topic"))
}

// A handler publishes, and a consumer subscribes, while the publication that the handler works on is under way: in Watermill's
// gochannel the subscription waits for it, the handler's publication for the subscription, and it for the handler.
func TestAHandlerPublishesWhileAnotherSubscribes(t *testing.T) {
	tr := gochannel.New(driver.Options{Consumers: map[string][]string{"a": {"one"}, "b": {"one", "two"}}, KeysInFlight: 16}, time.Hour)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	hearing := subscribe(t, tr, t.Context(), "a", "one")
	outer, inner := make(chan error, 1), make(chan error, 1)
	go func() { outer <- tr.Publisher().Publish("one", newMessage("k", 1, 0)) }()
	inHand := <-hearing

	var late consumer
	subscribed := make(chan error, 1)
	go func() {
		sub, err := tr.Subscriber("b")
		for _, topic := range []string{"one", "two"} {
			var messages <-chan *message.Message
			if err == nil {
				messages, err = sub.Subscribe(t.Context(), topic)
			}
			go late.take(messages)
		}
		subscribed <- err
	}()
	go func() { inner <- tr.Publisher().Publish("two", newMessage("k", 2, 0)) }()
	for what, done := range map[string]chan error{"the subscription": subscribed, "the handler's publication": inner} {
		select {
		case err := <-done:
			require.NoError(t, err, what)
		case <-time.After(10 * time.Second):
			t.Fatalf("%s waits for the handler", what)
		}
	}
	inHand.Ack()
	require.NoError(t, <-outer)
	require.ElementsMatch(t, []string{"1", "2"}, late.all())
}

// No consumer takes events while another one's handler is slow to end.
func TestConsumersDrainTogether(t *testing.T) {
	tr := gochannel.New(driver.Options{Consumers: map[string][]string{"one": {"a"}, "other": {"b"}}, KeysInFlight: 16}, 0)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	var inFlight []*message.Message
	for consumer, topic := range map[string]string{"one": "a", "other": "b"} {
		messages := subscribe(t, tr, t.Context(), consumer, topic)
		require.NoError(t, tr.Publisher().Publish(topic, newMessage("k", 1, 0)))
		inFlight = append(inFlight, <-messages)
	}
	drained := make(chan error, 1)
	go func() { drained <- tr.Drain(context.Background()) }()
	for _, topic := range []string{"a", "b"} {
		require.Eventually(t, func() bool { return tr.Publisher().Publish(topic, newMessage("k", 2, 0)) != nil }, 10*time.Second, time.Millisecond, "%s is taken in", topic)
	}
	for _, msg := range inFlight {
		msg.Ack()
	}
	require.NoError(t, <-drained)
}
