package kafka

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

const (
	heartbeat      = 500 * time.Millisecond // how soon a member hears of a rebalance
	sessionTimeout = 10 * time.Second       // how soon a dead one is given up
	commitEvery    = 500 * time.Millisecond // what is handled twice after a crash
	fetchBytes     = 8 << 20                // of one answer; as much again is held meanwhile
	lastWords      = 5 * time.Second        // of a member that leaves: brokers may be away, and who stops a process waits for seconds only
)

// revokeTimeout is how long a rebalance waits for work in flight. Tests shorten it.
var revokeTimeout = 10 * time.Second

// consumer is one member of a consumer's group, for all of its topics: they have equal partition counts and are assigned by
// range, so that the topics of a key meet in one instance.
type consumer struct {
	*keyed.Consumer
	group   string
	log     *slog.Logger
	options []kgo.Opt

	start   sync.Once
	failed  error
	client  *kgo.Client
	giveUp  context.CancelFunc // of what the client asks
	stop    context.CancelFunc // of the loop
	stopped chan struct{}

	mu         sync.Mutex
	partitions map[place]*keyed.Stream
	joining    trouble             // of the group as a whole
	reading    map[string]*trouble // by topic
}

type place struct {
	topic  string
	number int32
}

func newConsumer(name string, topics []string, o driver.Options, common []kgo.Opt) *consumer {
	c := &consumer{
		Consumer: keyed.NewConsumer(name, topics, keyed.Options{Keys: o.KeysInFlight, Redeliver: o.Redeliver}), group: o.ConsumerName(name), log: o.Logger.With("consumer", name),
		partitions: map[place]*keyed.Stream{}, reading: map[string]*trouble{}, stopped: make(chan struct{}),
	}
	c.options = append([]kgo.Opt{
		kgo.ConsumerGroup(c.group),
		kgo.ConsumeTopics(c.Topics()...),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), // a new group misses nothing
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.Balancers(kgo.RangeBalancer()),
		kgo.BlockRebalanceOnPoll(),
		kgo.AutoCommitMarks(), kgo.AutoCommitInterval(commitEvery),
		kgo.HeartbeatInterval(heartbeat), kgo.SessionTimeout(sessionTimeout), kgo.RebalanceTimeout(2 * revokeTimeout),
		kgo.FetchMaxWait(time.Second), kgo.FetchMaxBytes(fetchBytes),
		kgo.AdjustFetchOffsetsFn(c.starting), kgo.OnPartitionsAssigned(c.assigned), kgo.OnPartitionsRevoked(c.revoked), kgo.OnPartitionsLost(c.lost),
		kgo.WithHooks(c),
	}, common...)
	return c
}

// subscriber is the consumer as Watermill sees it.
type subscriber struct{ *consumer }

// Close does nothing: the transport is closed as a whole.
func (subscriber) Close() error { return nil }

// Subscribe gives the messages of a topic. The first subscription joins the group.
func (s subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	out, err := s.Consumer.Subscribe(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	s.start.Do(s.join)
	return out, s.failed
}

func (c *consumer) join() {
	c.mu.Lock() // the callbacks begin before NewClient returns
	var life context.Context
	life, c.giveUp = context.WithCancel(context.Background())
	c.client, c.failed = kgo.NewClient(append(c.options, kgo.WithContext(life))...)
	c.mu.Unlock()
	if c.failed != nil {
		c.failed = fmt.Errorf("kafka: joining the group: %w", c.failed)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	go c.run(ctx)
}

// portion is what a partition gave, and was not taken in yet.
type portion struct {
	stream  *keyed.Stream
	records []*kgo.Record
}

// run takes records in as long as the engine has room for them. It takes all that the client has fetched, because the client
// asks a broker for more only then: so the next records are on their way while these are handled.
func (c *consumer) run(ctx context.Context) {
	defer close(c.stopped)
	var held []portion
	for {
		room, err := c.Engine.Room(ctx)
		if err != nil {
			return
		}
		if len(held) == 0 {
			fetches := c.client.PollFetches(ctx) // until AllowRebalance no partition comes or goes
			if ctx.Err() == nil {
				c.complain(ctx, fetches)
				held = c.portions(fetches)
			}
			c.client.AllowRebalance()
			if fetches.IsClientClosed() {
				return
			}
		}
		held = c.take(ctx, held, room)
	}
}

func (c *consumer) portions(fetches kgo.Fetches) (held []portion) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		if p := c.partitions[place{f.Topic, f.Partition}]; p != nil && len(f.Records) > 0 {
			held = append(held, portion{p, f.Records})
		}
	})
	return held
}

// turn is how many records of a partition are taken before those of the next one.
const turn = 128

// take hands records to the engine, which has room for so many, and returns those that are left. While it does, no partition
// goes; what is held of one that went is the group's again.
func (c *consumer) take(ctx context.Context, held []portion, room int) []portion {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(held) > 0 && room > 0 {
		p := held[0]
		n := min(room, turn, len(p.records))
		room -= n
		held = held[1:]
		if c.takeFrom(ctx, p.stream, p.records[:n]) && n < len(p.records) {
			held = append(held, portion{p.stream, p.records[n:]})
		}
	}
	return held
}

func (c *consumer) takeFrom(ctx context.Context, p *keyed.Stream, records []*kgo.Record) bool {
	messages := make([]keyed.Message, len(records))
	for i, r := range records {
		msg := messageOf(r)
		messages[i] = keyed.Message{At: r.Offset, Published: r.Timestamp, Key: msg.Metadata.Get(driver.KeyMetadata), Message: msg}
	}
	return p.Take(ctx, messages...) == nil // else withdrawn, or closing
}

func (c *consumer) assigned(_ context.Context, client *kgo.Client, assigned map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(assigned) == 0 { // a member all the same; otherwise it is one when it knows where to start
		c.joining = trouble{}
	}
	for topic, numbers := range assigned {
		for _, n := range numbers {
			c.partitions[place{topic, n}] = keyed.NewStream(c.Consumer, topic, -1, func(done int64) {
				client.MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset{topic: {n: {Epoch: -1, Offset: done + 1}}})
			})
		}
	}
}

// starting notes where partitions are read from, so that their lag is known before the first record. The member has all it needs.
func (c *consumer) starting(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.joining = trouble{}
	for topic, numbers := range offsets {
		for n, offset := range numbers {
			if p := c.partitions[place{topic, n}]; p != nil {
				p.Begin(offset.EpochOffset().Offset - 1)
			}
		}
	}
	return offsets, nil
}

// revoked ends the work on partitions that go to another member: what was not begun is withdrawn, what is in flight has a
// while to finish, and what finished is committed.
func (c *consumer) revoked(ctx context.Context, client *kgo.Client, revoked map[string][]int32) {
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	if err := c.Engine.Await(ctx, c.give(revoked)); err != nil {
		c.log.WarnContext(ctx, "a rebalance does not wait for events that are still being handled; they may be delivered twice", "waited", revokeTimeout)
	}
	if err := client.CommitMarkedOffsets(context.WithoutCancel(ctx)); err != nil {
		c.log.WarnContext(ctx, "committing offsets before a rebalance; some events may be delivered twice", "error", err)
	}
	c.forget(revoked)
}

// lost ends the work on partitions that another member may have already.
func (c *consumer) lost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	c.give(lost)
	c.forget(lost)
}

// give withdraws the messages of partitions and returns those that are unfinished.
func (c *consumer) give(partitions map[string][]int32) []*keyed.Ticket {
	var tickets []*keyed.Ticket
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, numbers := range partitions {
		for _, n := range numbers {
			if p := c.partitions[place{topic, n}]; p != nil {
				tickets = append(tickets, p.Withdraw()...)
			}
		}
	}
	return tickets
}

// forget drops partitions: what finishes later is no longer marked.
func (c *consumer) forget(partitions map[string][]int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for topic, numbers := range partitions {
		for _, n := range numbers {
			if p := c.partitions[place{topic, n}]; p != nil {
				p.Drop()
				delete(c.partitions, place{topic, n})
			}
		}
	}
}

// drain takes nothing more in and waits for what is in flight.
func (c *consumer) drain(ctx context.Context) error {
	if c.stop != nil {
		c.stop()
		<-c.stopped
	}
	if err := c.Engine.Drain(ctx); err != nil {
		return fmt.Errorf("kafka: draining %s: %w", c.Name, err)
	}
	return nil
}

// close leaves the group, which commits what is finished. If the brokers do not answer, what is not committed comes again, and
// the group finds out by itself that the member is gone.
func (c *consumer) close() {
	c.start.Do(func() {}) // no later subscription joins
	if c.stop != nil {
		c.stop()
		<-c.stopped
	}
	c.Close()
	if c.client == nil {
		return
	}
	late := time.AfterFunc(lastWords, c.giveUp)
	c.client.CloseAllowingRebalance()
	if !late.Stop() {
		c.log.Warn("leaving the group: the brokers do not answer; some events may be delivered twice", "group", c.group, "waited", lastWords)
	}
}

// lag is how far the partitions of this member are behind their ends.
func (c *consumer) lag(ends kadm.ListedOffsets) []driver.Lag {
	c.mu.Lock()
	defer c.mu.Unlock()
	lags := map[string]*driver.Lag{}
	for _, topic := range c.Topics() {
		lags[topic] = &driver.Lag{Consumer: c.Name, Topic: topic, Partitions: map[int32]int64{}}
	}
	for at, p := range c.partitions {
		if end, known := ends.Lookup(at.topic, at.number); known {
			_, oldest := p.Unfinished()
			lag, behind := lags[at.topic], max(0, end.Offset-p.Done()-1)
			lag.Events += behind
			lag.Partitions[at.number] = behind
			lag.Oldest = max(lag.Oldest, oldest)
		}
	}
	out := make([]driver.Lag, 0, len(lags))
	for _, topic := range c.Topics() {
		out = append(out, *lags[topic])
	}
	return out
}

// degraded tells of topics whose partitions do not meet: the order of a key over topics then rests on the key's lock alone.
func (c *consumer) degraded(ends kadm.ListedOffsets) []string {
	counts := map[int]string{}
	for topic, partitions := range ends {
		counts[len(partitions)] = topic
	}
	if len(counts) < 2 {
		return nil
	}
	return []string{fmt.Sprintf("the topics of %s have unequal partition counts (%v): order of a key over topics rests on its lock alone; make them equal", c.Name, counts)}
}
