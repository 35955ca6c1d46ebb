package sql

import (
	"errors"
	"slices"
	"sync"
	"time"

	wmsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	groupLimit = 512                    // bounds what one insert carries
	patience   = 10 * time.Second       // with a topic that somebody holds locked
	lockPause  = 100 * time.Millisecond // leaves the connection to reads and leases
)

var errClosed = errors.New("sql: the transport is closed")

// publisher puts the publications of a topic that come at the same time into one insert: a topic's inserts wait for each
// other's commit, so that one by one they would wait for the disk one by one.
type publisher struct {
	stock *wmsql.Publisher

	mu      sync.Mutex
	waiting map[string][]*publication // by topic
	topics  []string                  // with publications, the longest waiting first
	wake    *sync.Cond
	closed  bool
	ended   chan struct{}
}

type publication struct {
	since    time.Time
	messages []*message.Message
	done     chan error
}

func newPublisher(stock *wmsql.Publisher) *publisher {
	p := &publisher{stock: stock, waiting: map[string][]*publication{}, ended: make(chan struct{})}
	p.wake = sync.NewCond(&p.mu)
	go p.run()
	return p
}

// Close does nothing: the transport is closed as a whole. Watermill closes publishers that it shares.
func (*publisher) Close() error { return nil }

// Publish returns when all messages are committed, or none.
func (p *publisher) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	one := &publication{since: time.Now(), messages: messages, done: make(chan error, 1)}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return errClosed
	}
	if len(p.waiting[topic]) == 0 {
		p.topics = append(p.topics, topic)
	}
	p.waiting[topic] = append(p.waiting[topic], one)
	p.wake.Signal()
	p.mu.Unlock()
	return <-one.done
}

func (p *publisher) run() {
	defer close(p.ended)
	for {
		topic, group := p.next()
		if group == nil {
			return
		}
		var all []*message.Message
		for _, one := range group {
			all = append(all, one.messages...)
		}
		err := p.stock.Publish(topic, all...)
		if isLocked(err) {
			group = p.postpone(topic, group)
			time.Sleep(lockPause)
		}
		for _, one := range group {
			one.done <- err
		}
	}
}

// next takes the publications of the topic that waits longest; nil when the publisher is closed.
func (p *publisher) next() (string, []*publication) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.topics) == 0 && !p.closed {
		p.wake.Wait()
	}
	if len(p.topics) == 0 {
		return "", nil
	}
	topic := p.topics[0]
	p.topics = p.topics[1:]
	group, n := p.waiting[topic], 0
	for i, one := range group {
		if n += len(one.messages); n > groupLimit && i > 0 {
			p.waiting[topic], p.topics = group[i:], append(p.topics, topic)
			return topic, group[:i]
		}
	}
	delete(p.waiting, topic)
	return topic, group
}

func isLocked(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == "55P03" // lock_not_available
}

// postpone lets the other topics go first, and gives back the publications that have waited long enough.
func (p *publisher) postpone(topic string, group []*publication) (spent []*publication) {
	patient := 0 // the first of those that wait on: they stand as they came
	for patient < len(group) && time.Since(group[patient].since) >= patience {
		patient++
	}
	spent, group = group[:patient], group[patient:]
	if len(group) == 0 {
		return spent
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting[topic]) == 0 {
		p.topics = append(p.topics, topic)
	}
	p.waiting[topic] = slices.Concat(group, p.waiting[topic])
	return spent
}

// close lets what waits be published and ends.
func (p *publisher) close() {
	p.mu.Lock()
	p.closed = true
	p.wake.Signal()
	p.mu.Unlock()
	<-p.ended
}
