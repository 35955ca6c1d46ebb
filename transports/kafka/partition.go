package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/transports/driver"
	"github.com/first-viscount/viscount/transports/keyed"
)

// partition is one assignment of a partition to this member: what was taken of it, and how far it may be committed.
type partition struct {
	c    *consumer
	mark *keyed.Watermark

	mu      sync.Mutex
	taken   map[int64]taken // by offset: unfinished
	next    int64           // the offset that would be committed
	dropped bool
}

type taken struct {
	ticket *keyed.Ticket
	at     time.Time
}

func newPartition(c *consumer, client *kgo.Client, topic string, number int32) *partition {
	p := &partition{c: c, taken: map[int64]taken{}}
	p.mark = keyed.NewWatermark(-1, func(mark int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.next = mark + 1
		if !p.dropped {
			client.MarkCommitOffsets(map[string]map[int32]kgo.EpochOffset{topic: {number: {Epoch: -1, Offset: p.next}}})
		}
	})
	return p
}

// begin notes where the partition is read from; below 0 is its start.
func (p *partition) begin(offset int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = max(p.next, offset)
}

// take hands a record to the engine.
func (p *partition) take(ctx context.Context, r *kgo.Record) error {
	p.mark.Begin(r.Offset)
	msg := messageOf(r)
	p.mu.Lock()
	p.taken[r.Offset] = taken{at: r.Timestamp} // it may finish before Add returns
	p.mu.Unlock()
	ticket, err := p.c.Engine.Add(ctx, keyed.Item{
		Key: msg.Metadata.Get(driver.KeyMetadata), Message: msg, To: p.c.Inlet(r.Topic), Done: func() { p.finish(r.Offset) },
	})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, still := p.taken[r.Offset]; still {
		p.taken[r.Offset] = taken{ticket, r.Timestamp}
	}
	return nil
}

func (p *partition) finish(offset int64) {
	p.mu.Lock()
	delete(p.taken, offset)
	p.mu.Unlock()
	p.mark.Finish(offset)
}

func (p *partition) unfinished() []*keyed.Ticket {
	p.mu.Lock()
	defer p.mu.Unlock()
	tickets := make([]*keyed.Ticket, 0, len(p.taken))
	for _, t := range p.taken {
		if t.ticket != nil {
			tickets = append(tickets, t.ticket)
		}
	}
	return tickets
}

func (p *partition) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropped = true
}

// behind is how many records before end are not finished, and how old the oldest of them is.
func (p *partition) behind(end int64) (events int64, oldest time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if end <= p.next {
		return 0, 0
	}
	for _, t := range p.taken {
		oldest = max(oldest, time.Since(t.at))
	}
	return end - p.next, oldest
}
