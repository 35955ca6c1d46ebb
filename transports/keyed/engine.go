// Package keyed is the engine under every transport: it hands out the messages of one consumer with all keys in parallel and
// each key in order, over all topics, and tells when a message is finished.
//
// It imports Watermill's message package only.
package keyed

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// ErrClosed is returned for messages that come after Close or Drain.
var ErrClosed = errors.New("keyed: the engine is closed")

// Options bound an engine.
type Options struct {
	Keys   int // keys handled at once; at least 1
	Window int // messages taken in and not finished; 4 × Keys if 0

	// Redeliver is the pause before a message that was refused n times is delivered again; later messages of its key wait.
	// Nil doubles from 10 ms to 5 s, with jitter.
	Redeliver func(refusals int) time.Duration
}

// Item is one message on its way.
type Item struct {
	Key     string // "" has no order: every such message is its own key
	Message *message.Message
	To      chan<- *message.Message // where the consumer of its topic reads
	Done    func()                  // called once, after the acknowledgement; not for messages unfinished at Close
}

// Engine is the delivery of one consumer.
type Engine struct {
	options Options
	ctx     context.Context // of every message delivered; ends at Close
	cancel  context.CancelFunc
	quit    chan struct{} // closed when the engine begins to drain

	mu       sync.Mutex
	changed  *sync.Cond
	roomy    *sync.Cond // there is room for a batch
	lanes    map[string]*lane
	ready    []*lane // lanes that wait for one of the Keys
	active   int     // lanes with a goroutine
	inside   int     // messages taken in and not finished
	draining bool
	running  sync.WaitGroup
}

type lane struct {
	key   string
	items []*Ticket
}

// Ticket is a message taken in.
type Ticket struct {
	item  Item
	begun bool // it was delivered
	gone  bool // withdrawn
	ended bool
}

// New starts an engine.
func New(o Options) *Engine {
	o.Keys = max(o.Keys, 1)
	if o.Window == 0 {
		o.Window = 4 * o.Keys
	}
	if o.Redeliver == nil {
		o.Redeliver = defaultPause
	}
	e := &Engine{options: o, lanes: map[string]*lane{}, quit: make(chan struct{})}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.changed, e.roomy = sync.NewCond(&e.mu), sync.NewCond(&e.mu)
	return e
}

func defaultPause(refusals int) time.Duration {
	pause := min(10*time.Millisecond<<min(refusals-1, 10), 5*time.Second)
	return pause/2 + rand.N(pause/2)
}

// Add takes a message in, behind the earlier ones of its key. It blocks while the window is full, until ctx ends.
func (e *Engine) Add(ctx context.Context, item Item) (*Ticket, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.await(ctx, e.changed, func() bool { return e.inside < e.options.Window || e.draining })
	if err := e.open(ctx); err != nil {
		return nil, err
	}
	e.inside++
	t := &Ticket{item: item}
	e.enqueue(t)
	return t, nil
}

func (e *Engine) enqueue(t *Ticket) {
	if t.item.Key != "" {
		if l, busy := e.lanes[t.item.Key]; busy {
			l.items = append(l.items, t)
			return
		}
	}
	l := &lane{key: t.item.Key, items: []*Ticket{t}}
	if l.key != "" {
		e.lanes[l.key] = l
	}
	if e.active == e.options.Keys {
		e.ready = append(e.ready, l)
		return
	}
	e.active++
	e.running.Go(func() { e.run(l) })
}

// Room waits until the window has room for a batch, a sixteenth of it, so that a source is not asked for message by message,
// and tells how much room there is: a caller that is the only one to add may add as many without being blocked.
func (e *Engine) Room(ctx context.Context) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.await(ctx, e.roomy, func() bool { return e.hasRoom() || e.draining })
	if err := e.open(ctx); err != nil {
		return 0, err
	}
	return e.options.Window - e.inside, nil
}

func (e *Engine) hasRoom() bool {
	return e.options.Window-e.inside >= max(1, e.options.Window/16)
}

func (e *Engine) open(ctx context.Context) error {
	if e.draining {
		return ErrClosed
	}
	return ctx.Err()
}

// left notes that a message is no longer inside. The lock is held.
func (e *Engine) left() {
	e.inside--
	e.changed.Broadcast()
	if e.hasRoom() {
		e.roomy.Broadcast()
	}
}

// await sleeps until a condition holds or ctx ends. The lock is held.
func (e *Engine) await(ctx context.Context, changed *sync.Cond, holds func() bool) {
	if holds() {
		return
	}
	stop := context.AfterFunc(ctx, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		changed.Broadcast()
	})
	defer stop()
	for !holds() && ctx.Err() == nil {
		changed.Wait()
	}
}

// Withdraw gives messages up: one that was not delivered yet never is, and one that is refused is not delivered again. Their
// Done is called only if they are acknowledged nevertheless.
func (e *Engine) Withdraw(tickets []*Ticket) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range tickets {
		t.gone = true
	}
}

// Await waits until none of the messages is being handled, or ctx ends.
func (e *Engine) Await(ctx context.Context, tickets []*Ticket) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range tickets {
		e.await(ctx, e.changed, func() bool { return t.ended || !t.begun })
		if !t.ended && t.begun {
			return ctx.Err()
		}
	}
	return nil
}

// given tells whether a message that was refused is not to be delivered again by this engine.
func (e *Engine) given(t *Ticket) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return t.gone || e.draining
}

// run delivers a lane until it is empty, then the next one that waits.
func (e *Engine) run(l *lane) {
	for {
		t := e.next(&l)
		if t == nil {
			return
		}
		if e.deliver(t) {
			t.item.Done()
		}
		e.mu.Lock()
		t.ended = true
		e.left()
		e.mu.Unlock()
	}
}

// next takes the first message of the lane, or moves on to a lane that waits; nil when there is nothing to do. While the
// engine drains nothing further is begun. Lanes that wait have their turn after each message, so that busy keys starve nobody.
func (e *Engine) next(l **lane) *Ticket {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.ready) > 0 && len((*l).items) > 0 {
		e.ready = append(e.ready, *l)
		*l, e.ready = e.ready[0], e.ready[1:]
	}
	for !e.draining {
		for len((*l).items) > 0 {
			t := (*l).items[0]
			(*l).items[0] = nil
			(*l).items = (*l).items[1:]
			if !t.gone {
				t.begun = true
				return t
			}
			e.left()
		}
		if (*l).key != "" {
			delete(e.lanes, (*l).key)
		}
		if len(e.ready) == 0 {
			break
		}
		*l, e.ready = e.ready[0], e.ready[1:]
	}
	e.active--
	return nil
}

// deliver hands the message out until it is acknowledged; false when it was withdrawn or the engine closed first. A refused
// message is delivered again as a fresh copy, because an acknowledgement is given once.
func (e *Engine) deliver(t *Ticket) bool {
	i := &t.item
	msg := i.Message
	for refusals := 1; ; refusals++ {
		ctx, cancel := context.WithCancel(e.ctx)
		msg.SetContext(ctx)
		acked := i.handOut(e, msg)
		cancel()
		if acked || e.given(t) {
			return acked
		}
		select {
		case <-time.After(e.options.Redeliver(refusals)):
		case <-e.quit:
			return false
		}
		if e.given(t) {
			return false
		}
		msg = msg.Copy()
	}
}

func (i *Item) handOut(e *Engine, msg *message.Message) bool {
	select {
	case i.To <- msg:
	case <-e.quit: // nobody has it yet
		return false
	}
	select {
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
		return false
	case <-e.ctx.Done():
		select {
		case <-msg.Acked(): // both came: the outcome is durable
			return true
		default:
			return false
		}
	}
}

func (e *Engine) beginDrain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.draining {
		e.draining = true
		close(e.quit)
		e.changed.Broadcast()
		e.roomy.Broadcast()
	}
}

// Drain takes and begins nothing more, and returns when what is in flight has ended, or ctx has. What is refused meanwhile is
// the source's again.
func (e *Engine) Drain(ctx context.Context) error {
	e.beginDrain()
	idle := make(chan struct{})
	go func() {
		e.running.Wait()
		close(idle)
	}()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close ends the context of every message in flight and waits for their deliveries. Messages without an acknowledgement are
// the source's again.
func (e *Engine) Close() {
	e.beginDrain()
	e.cancel()
	e.running.Wait()
}

// InFlight is how many messages are taken in and not finished.
func (e *Engine) InFlight() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.inside
}
