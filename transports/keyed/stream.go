package keyed

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Stream is a source of numbered messages while it is assigned to this process: a partition, a bucket. It knows what was
// taken from it and how far that is finished.
type Stream struct {
	consumer *Consumer
	topic    string
	mark     *Watermark

	mu        sync.Mutex
	taken     map[int64]taken // by position: unfinished
	done      int64           // everything up to here is finished
	withdrawn bool
	dropped   bool
}

type taken struct {
	ticket    *Ticket
	published time.Time
}

// NewStream begins after a position. moved is called, in order, each time the position up to which all is finished rises,
// until Drop.
func NewStream(c *Consumer, topic string, after int64, moved func(done int64)) *Stream {
	s := &Stream{consumer: c, topic: topic, taken: map[int64]taken{}, done: after}
	s.mark = NewWatermark(after, func(done int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.done = done
		if !s.dropped {
			moved(done)
		}
	})
	return s
}

// Begin tells where reading begins, if that was not known when the stream was made.
func (s *Stream) Begin(after int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = max(s.done, after)
}

// Take hands a message to the consumer's engine. Positions rise. After Withdraw it answers ErrWithdrawn.
func (s *Stream) Take(ctx context.Context, at int64, published time.Time, key string, msg *message.Message) error {
	s.mu.Lock()
	withdrawn := s.withdrawn
	s.mu.Unlock()
	if withdrawn {
		return ErrWithdrawn
	}
	s.mark.Begin(at)
	s.mu.Lock()
	s.taken[at] = taken{published: published} // it may finish before Add returns
	s.mu.Unlock()
	ticket, err := s.consumer.Engine.Add(ctx, Item{Key: key, Message: msg, To: s.consumer.Outlet(s.topic), Done: func() { s.finish(at) }})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, still := s.taken[at]; still {
		s.taken[at] = taken{ticket, published}
	}
	return nil
}

func (s *Stream) finish(at int64) {
	s.mu.Lock()
	delete(s.taken, at)
	s.mu.Unlock()
	s.mark.Finish(at)
}

// ErrWithdrawn is the answer to messages of a stream that was given up.
var ErrWithdrawn = errors.New("keyed: the stream is withdrawn")

// Withdraw gives up what is unfinished, and returns it; see Engine.Await. No other goroutine is in Take meanwhile.
func (s *Stream) Withdraw() []*Ticket {
	s.mu.Lock()
	s.withdrawn = true
	tickets := make([]*Ticket, 0, len(s.taken))
	for _, t := range s.taken {
		if t.ticket != nil {
			tickets = append(tickets, t.ticket)
		}
	}
	s.mu.Unlock()
	s.consumer.Engine.Withdraw(tickets)
	return tickets
}

// Drop ends the assignment: what finishes later moves nothing.
func (s *Stream) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped = true
}

// Done is the position up to which everything is finished.
func (s *Stream) Done() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// Settled is the position before the oldest unfinished message, or read, up to which everything was taken, if there is none.
func (s *Stream) Settled(read int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := range s.taken {
		read = min(read, at-1)
	}
	return max(read, s.done)
}

// Unfinished is how many messages were taken and are not finished, and how old the oldest of them is.
func (s *Stream) Unfinished() (messages int, oldest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.taken {
		oldest = max(oldest, time.Since(t.published))
	}
	return len(s.taken), oldest
}
