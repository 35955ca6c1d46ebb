package keyed

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Stream is a source of numbered messages while it is assigned to this process: a partition, a bucket. It knows what was
// taken from it, and turns acknowledgements in any order into the position up to which the source may acknowledge: the last
// one before the first unfinished message.
type Stream struct {
	consumer *Consumer
	outlet   *Outlet
	moved    func(done int64)

	mu         sync.Mutex
	places     []place // of what was taken, by position, from the first unfinished one on
	gone       int     // places that stood before
	unfinished int
	done       int64 // everything up to here is finished
	withdrawn  bool
	dropped    bool
}

type place struct {
	at    int64
	taken *taken // nil when it is finished
}

type taken struct {
	Ticket
	stream    *Stream
	number    int // of its place
	published time.Time
}

// NewStream begins after a position. moved is called, in order, each time the position up to which all is finished rises,
// until Drop.
func NewStream(c *Consumer, topic string, after int64, moved func(done int64)) *Stream {
	return &Stream{consumer: c, outlet: c.Outlet(topic), done: after, moved: moved}
}

// Begin tells where reading begins, if that was not known when the stream was made.
func (s *Stream) Begin(after int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = max(s.done, after)
}

// Message is a message of a stream.
type Message struct {
	At        int64 // its position
	Published time.Time
	Key       string
	Message   *message.Message
}

// Take hands messages to the consumer's engine. Positions rise; they may have gaps. After Withdraw it answers ErrWithdrawn.
func (s *Stream) Take(ctx context.Context, messages ...Message) error {
	all := make([]taken, len(messages))
	if !s.place(messages, all) {
		return ErrWithdrawn
	}
	return s.consumer.Engine.add(ctx, len(all), func(i int) *Ticket { return &all[i].Ticket })
}

func (s *Stream) place(messages []Message, all []taken) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.withdrawn {
		return false
	}
	for i := range messages {
		m, t := &messages[i], &all[i]
		t.stream, t.published, t.number = s, m.Published, s.gone+len(s.places)
		t.item = Item{Key: m.Key, Message: m.Message, To: s.outlet, Done: t.finish}
		s.places = append(s.places, place{m.At, t})
	}
	s.unfinished += len(all)
	return true
}

func (t *taken) finish() {
	s := t.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places[t.number-s.gone].taken = nil
	t.item = Item{} // others that were taken with it may be in hand for long
	s.unfinished--
	before := s.gone
	for len(s.places) > 0 && s.places[0].taken == nil {
		s.done = s.places[0].at
		s.places = s.places[1:]
		s.gone++
	}
	if s.gone > before && !s.dropped {
		s.moved(s.done)
	}
}

// ErrWithdrawn is the answer to messages of a stream that was given up.
var ErrWithdrawn = errors.New("keyed: the stream is withdrawn")

// Withdraw gives up what is unfinished, and returns it; see Engine.Await. No other goroutine is in Take meanwhile.
func (s *Stream) Withdraw() []*Ticket {
	s.mu.Lock()
	s.withdrawn = true
	tickets := make([]*Ticket, 0, s.unfinished)
	for _, p := range s.places {
		if p.taken != nil {
			tickets = append(tickets, &p.taken.Ticket)
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
	if len(s.places) > 0 {
		read = min(read, s.places[0].at-1)
	}
	return max(read, s.done)
}

// Unfinished is how many messages were taken and are not finished, and how old the oldest of them is: not zero, if there is one,
// also where its publisher's clock is ahead.
func (s *Stream) Unfinished() (messages int, oldest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.places {
		if p.taken != nil {
			oldest = max(oldest, time.Since(p.taken.published), time.Millisecond)
		}
	}
	return s.unfinished, oldest
}
