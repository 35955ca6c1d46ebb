package kafka_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/kafka"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// service is what the instances of a consumer share: a database with an inbox, in memory.
type service struct {
	mu         sync.Mutex
	seen       map[string]bool
	next       map[string]int // by topic and key
	duplicates int
	broken     []string
}

func (s *service) handle(topic string, msg *message.Message) {
	time.Sleep(time.Millisecond) // the work
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[msg.UUID] {
		s.duplicates++
		return
	}
	s.seen[msg.UUID] = true
	lane := topic + "/" + msg.Metadata.Get(driver.KeyMetadata)
	n, err := strconv.Atoi(string(msg.Payload))
	if err != nil || n != s.next[lane] {
		s.broken = append(s.broken, fmt.Sprintf("%s: %q while %d is due", lane, msg.Payload, s.next[lane]))
	}
	s.next[lane] = n + 1
}

func (s *service) applied() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.seen)
}

// TestRebalances lets instances join and leave under load: nothing is lost, the order of a key is kept, duplicates are
// absorbed. On a stand-in it makes a few changes, on a real broker 30.
func TestRebalances(t *testing.T) {
	addresses, real := kafkatest.Brokers(t)
	kafkatest.Reset(t, addresses)
	changes := 4
	if real {
		changes = 30
	}
	if n, err := strconv.Atoi(os.Getenv("TEST_REBALANCES")); err == nil {
		changes = n
	}
	o := driver.Options{
		Config: configured(addresses), Consumers: map[string][]string{"reader": {"a.v1", "b.v1"}}, Topics: []driver.Topic{{Name: "a.v1"}, {Name: "b.v1"}},
		KeysInFlight: 256, Logger: slog.New(slog.DiscardHandler),
	}
	publisher := openTransport(t, o)
	s := &service{seen: map[string]bool{}, next: map[string]int{}}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	published, ended := load(ctx, t, publisher)

	instances := []driver.Transport{join(t, o, s)}
	var rates []float64
	for change := range changes {
		waitStable(t, instances, 8)
		before, began := s.applied(), time.Now()
		time.Sleep(time.Second) // is measured
		rates = append(rates, float64(s.applied()-before)/time.Since(began).Seconds())
		waitApplied(t, s, before+200)
		t.Logf("change %d: %d instances, %.0f events/s in the second before it", change+1, len(instances), rates[change])
		if len(instances) > 1 && change%2 == 1 {
			leaving := instances[change/2%len(instances)]
			instances = remove(instances, leaving)
			require.NoError(t, leaving.Close()) // with work in flight
			continue
		}
		instances = append(instances, join(t, o, s))
	}
	stop()
	ended.Wait()
	waitApplied(t, s, int(published.Load()))
	s.mu.Lock()
	defer s.mu.Unlock()
	require.Empty(t, s.broken)
	t.Logf("%d changes, %d events, 0 lost, 0 out of order, %d duplicates absorbed", changes, published.Load(), s.duplicates)
	slices.Sort(rates)
	t.Logf("events/s in a second of a stable group: median %.0f, %.0f to %.0f", rates[len(rates)/2], rates[0], rates[len(rates)-1])
}

// waitStable waits until each instance reads something and together they read all partitions, each once.
func waitStable(t *testing.T, instances []driver.Transport, all int) {
	t.Helper()
	require.Eventually(t, func() bool {
		read := map[string]int{}
		for _, tr := range instances {
			standing, err := tr.Standing(t.Context())
			if err != nil {
				return false
			}
			for _, lag := range standing.Lag {
				if len(lag.Partitions) == 0 {
					return false
				}
				for number := range lag.Partitions {
					read[fmt.Sprint(lag.Topic, number)]++
				}
			}
		}
		return len(read) == all && !slices.ContainsFunc(slices.Collect(maps.Values(read)), func(n int) bool { return n > 1 })
	}, 60*time.Second, 20*time.Millisecond, "the group is stable")
}

func openTransport(t *testing.T, o driver.Options) driver.Transport {
	t.Helper()
	tr, err := kafka.Driver.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tr.Close() }) // again, for those that have left
	return tr
}

func join(t *testing.T, o driver.Options, s *service) driver.Transport {
	t.Helper()
	tr := openTransport(t, o)
	sub, err := tr.Subscriber("reader")
	require.NoError(t, err)
	for _, topic := range o.Consumers["reader"] {
		messages, err := sub.Subscribe(context.WithoutCancel(t.Context()), topic)
		require.NoError(t, err)
		go func() {
			for msg := range messages {
				go func() {
					s.handle(topic, msg)
					msg.Ack()
				}()
			}
		}()
	}
	return tr
}

func remove(list []driver.Transport, one driver.Transport) (rest []driver.Transport) {
	for _, tr := range list {
		if tr != one {
			rest = append(rest, tr)
		}
	}
	return rest
}

// load publishes 64 keys on both topics until ctx ends, each key in order.
func load(ctx context.Context, t *testing.T, tr driver.Transport) (*atomic.Int64, *sync.WaitGroup) {
	var published atomic.Int64
	var ended sync.WaitGroup
	for k := range 64 {
		ended.Go(func() {
			key := fmt.Sprint("key_", k)
			for n := 0; ctx.Err() == nil; n++ {
				for _, topic := range []string{"a.v1", "b.v1"} {
					msg := message.NewMessage(fmt.Sprintf("%s/%s/%d", topic, key, n), []byte(strconv.Itoa(n)))
					msg.Metadata.Set(driver.KeyMetadata, key)
					if err := tr.Publisher().Publish(topic, msg); err != nil {
						t.Errorf("publishing: %v", err)
						return
					}
					published.Add(1)
				}
				time.Sleep(20 * time.Millisecond) // a rate that leaves the machine room
			}
		})
	}
	return &published, &ended
}

func waitApplied(t *testing.T, s *service, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.applied() >= n }, 60*time.Second, 5*time.Millisecond, "%d events applied", n)
}
