// Package transporttest holds every transport to the same promises: Watermill's own acceptance suite by what the driver
// declares, and ours. A driver's test calls Run with a way to reach a broker.
package transporttest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/transports/driver"
)

// Setup is a driver and a broker that it reaches.
type Setup struct {
	Driver driver.Driver
	Config config.Transport // topics are created when they are missing
	// Short keeps Watermill's suite short, for brokers that are slow.
	Short bool
	// Sluggish is set for a stand-in that hands out the next message of a key so late that no parallel work can be seen; in
	// Watermill's suite every message then has a key of its own, and its tests of order are left to a better broker.
	Sluggish bool
	// Apart is set where one instance may read a topic of a key while another one reads another topic of it.
	Apart bool
}

// Run runs both suites.
func Run(t *testing.T, s Setup) {
	t.Run("watermill", func(t *testing.T) { RunWatermill(t, s) })
	t.Run("viscount", func(t *testing.T) { RunViscount(t, s) })
}

const (
	keysInFlight = 128
	patience     = 90 * time.Second // for a condition that must come true
)

// world is the transports of one test: they share topics and consumers that no other test has.
type world struct {
	t      *testing.T
	s      Setup
	id     string
	topics []driver.Topic
	hears  map[string][]string
	single driver.Transport // where all processes are one
}

// newWorld names the topics of a test and the consumers that hear all of them.
func newWorld(t *testing.T, s Setup, topics int, consumers ...string) *world {
	w := &world{t: t, s: s, id: fmt.Sprintf("t%d-%d", time.Now().UnixNano(), rand.N(1000)), hears: map[string][]string{}}
	for i := range topics {
		w.topics = append(w.topics, driver.Topic{Name: fmt.Sprintf("%s.topic.%d.v1", w.id, i), Retention: time.Hour})
	}
	for _, c := range consumers {
		w.hears[c] = w.names()
	}
	return w
}

func (w *world) names() []string {
	names := make([]string, len(w.topics))
	for i, topic := range w.topics {
		names[i] = topic.Name
	}
	return names
}

func (w *world) topic(i int) string { return w.topics[i].Name }

// process opens a transport for some of the consumers, as a process of its own would.
func (w *world) process(consumers ...string) driver.Transport {
	w.t.Helper()
	if w.single != nil {
		return w.single
	}
	hears := map[string][]string{}
	for _, c := range consumers {
		hears[c] = w.hears[c]
	}
	if !w.s.Driver.Capabilities.BetweenProcesses {
		hears = w.hears
	}
	c := w.s.Config
	c.ConsumerPrefix = w.id
	tr, err := w.s.Driver.Open(w.t.Context(), driver.Options{
		Config: c, Consumers: hears, Audience: w.hears, Topics: w.topics, KeysInFlight: keysInFlight, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(w.t, err)
	if !w.s.Driver.Capabilities.BetweenProcesses {
		w.single = tr
	}
	w.t.Cleanup(func() { require.NoError(w.t, tr.Close()) })
	return tr
}

// consume hands every message of a consumer to handle, each in a goroutine of its own, until ctx ends.
func (w *world) consume(ctx context.Context, tr driver.Transport, consumer string, handle func(topic string, msg *message.Message)) *sync.WaitGroup {
	w.t.Helper()
	sub, err := tr.Subscriber(consumer)
	require.NoError(w.t, err)
	var readers sync.WaitGroup
	for _, topic := range w.hears[consumer] {
		messages, err := sub.Subscribe(ctx, topic)
		require.NoError(w.t, err)
		readers.Go(func() {
			for msg := range messages {
				readers.Go(func() { handle(topic, msg) })
			}
		})
	}
	return &readers
}

// publish publishes in the background where the driver's Publish waits for the consumers, and makes the test fail if it fails.
func (w *world) publish(tr driver.Transport, topic string, messages ...*message.Message) {
	w.t.Helper()
	for _, run := range byKey(messages) {
		if w.single == nil {
			require.NoError(w.t, tr.Publisher().Publish(topic, run...))
			continue
		}
		go func() {
			if err := tr.Publisher().Publish(topic, run...); err != nil && w.t.Context().Err() == nil {
				w.t.Errorf("publishing: %v", err)
			}
		}()
	}
}

// byKey groups messages as the relay does: one call is of one key.
func byKey(messages []*message.Message) [][]*message.Message {
	runs := map[string][]*message.Message{}
	for _, msg := range messages {
		key := msg.Metadata.Get(driver.KeyMetadata)
		runs[key] = append(runs[key], msg)
	}
	return slices.Collect(maps.Values(runs))
}

func newMessage(id, key string, payload []byte) *message.Message {
	msg := message.NewMessage(id, payload)
	msg.Metadata.Set(driver.KeyMetadata, key)
	return msg
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("did not come true in %v: %s", patience, what)
		}
	}
}

// ledger remembers what a consumer was given.
type ledger struct {
	mu    sync.Mutex
	order []string       // ids, as first delivered
	times map[string]int // deliveries by id
}

func newLedger() *ledger { return &ledger{times: map[string]int{}} }

func (l *ledger) note(id string) (deliveries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times[id]++
	if l.times[id] == 1 {
		l.order = append(l.order, id)
	}
	return l.times[id]
}

func (l *ledger) distinct() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.times)
}

func (l *ledger) count(id string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.times[id]
}
