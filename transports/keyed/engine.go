// Package keyed is the engine under every transport: it hands out the messages of one consumer with all keys in parallel and
// each key in order, over all topics, and tells when a message is finished.
//
// It imports Watermill's message package and, of this module, internal/lazycontext alone.
package keyed

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/internal/lazycontext"
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
	To      *Outlet // where its topic is read
	Done    func()  // called once, after the acknowledgement; not for messages unfinished at Close
}

// Engine is the delivery of one consumer.
type Engine struct {
	options  Options
	quit     chan struct{} // closed when the engine begins to drain
	draining atomic.Bool   // it has begun to; set with the lock held

	mu      sync.Mutex
	changed *sync.Cond
	roomy   *sync.Cond // there is room for a batch
	lanes   map[string]*lane
	ready   []*lane // lanes that wait for one of the Keys
	runners map[*runner]bool
	inside  int // messages taken in and not finished
	outlets []*Outlet
	running sync.WaitGroup
}

// runner is a goroutine that delivers one message after another.
type runner struct {
	hand    atomic.Pointer[message.Message] // what it has in hand
	context atomic.Pointer[lazycontext.Context]
}

// lane is the messages of a key that wait, behind the one in hand.
type lane struct {
	key         string
	first, last *Ticket
}

// Ticket is a message taken in.
type Ticket struct {
	item  Item
	after *Ticket // the next one of its lane
	begun bool    // a runner has it
	gone  bool    // withdrawn
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
	e := &Engine{options: o, lanes: map[string]*lane{}, runners: map[*runner]bool{}, quit: make(chan struct{})}
	e.changed, e.roomy = sync.NewCond(&e.mu), sync.NewCond(&e.mu)
	return e
}

func defaultPause(refusals int) time.Duration {
	pause := min(10*time.Millisecond<<min(refusals-1, 10), 5*time.Second)
	return pause/2 + rand.N(pause/2)
}

// Add takes a message in, behind the earlier ones of its key. It blocks while the window is full, until ctx ends.
func (e *Engine) Add(ctx context.Context, item Item) (*Ticket, error) {
	t := &Ticket{item: item}
	if err := e.add(ctx, 1, func(int) *Ticket { return t }); err != nil {
		return nil, err
	}
	return t, nil
}

func (e *Engine) add(ctx context.Context, n int, ticket func(i int) *Ticket) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range n {
		e.await(ctx, e.changed, func() bool { return e.inside < e.options.Window || e.draining.Load() })
		if err := e.open(ctx); err != nil {
			return err
		}
		e.inside++
		e.enqueue(ticket(i))
	}
	return nil
}

func (e *Engine) enqueue(t *Ticket) {
	if t.item.Key != "" {
		if l, busy := e.lanes[t.item.Key]; busy {
			l.append(t)
			return
		}
	}
	l := &lane{key: t.item.Key, first: t, last: t}
	if l.key != "" {
		e.lanes[l.key] = l
	}
	if len(e.runners) == e.options.Keys {
		e.ready = append(e.ready, l)
		return
	}
	r := &runner{}
	e.runners[r] = true
	e.running.Go(func() { e.run(r, l) })
}

func (l *lane) append(t *Ticket) {
	if l.first == nil {
		l.first = t
	} else {
		l.last.after = t
	}
	l.last = t
}

// shift takes the first message out; nil if there is none.
func (l *lane) shift() *Ticket {
	t := l.first
	if t != nil {
		l.first, t.after = t.after, nil
	}
	return t
}

// Room waits until the window has room for a batch, a sixteenth of it, so that a source is not asked for message by message,
// and tells how much room there is: a caller that is the only one to add may add as many without being blocked.
func (e *Engine) Room(ctx context.Context) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.await(ctx, e.roomy, func() bool { return e.hasRoom() || e.draining.Load() })
	if err := e.open(ctx); err != nil {
		return 0, err
	}
	return e.options.Window - e.inside, nil
}

func (e *Engine) hasRoom() bool {
	return e.options.Window-e.inside >= max(1, e.options.Window/16)
}

func (e *Engine) open(ctx context.Context) error {
	if e.draining.Load() {
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

// Withdraw gives messages up: one that no reader has yet is not delivered, and one that is refused is not delivered again. Their
// Done is called only if they are acknowledged nevertheless.
func (e *Engine) Withdraw(tickets []*Ticket) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range tickets {
		t.gone = true
	}
	e.recall()
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
	return t.gone || e.draining.Load()
}

// run delivers a lane until it is empty, then the next one that waits.
func (e *Engine) run(r *runner, l *lane) {
	for t := e.next(r, &l, nil); t != nil; t = e.next(r, &l, t) {
		if e.deliver(r, t) {
			t.item.Done()
		}
	}
}

// next notes that a message has ended, if one has, and takes the first one of the lane, or moves on to a lane that waits; nil
// when there is nothing to do. While the engine drains nothing further is begun. Lanes that wait have their turn after each
// message, so that busy keys starve nobody.
func (e *Engine) next(r *runner, l **lane, ended *Ticket) *Ticket {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ended != nil {
		ended.ended = true
		e.left()
	}
	if len(e.ready) > 0 && (*l).first != nil {
		e.ready = append(e.ready, *l)
		*l, e.ready = e.ready[0], e.ready[1:]
	}
	for !e.draining.Load() {
		for t := (*l).shift(); t != nil; t = (*l).shift() {
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
	delete(e.runners, r)
	return nil
}

// deliver hands the message out until it is acknowledged; false when it was withdrawn or the engine closed first. A refused
// message is delivered again as a fresh copy, because an acknowledgement is given once.
func (e *Engine) deliver(r *runner, t *Ticket) bool {
	i := &t.item
	msg := i.Message
	for refusals := 1; ; refusals++ {
		ctx := lazycontext.WithCancel(context.Background()) // a parent shared by all would be a lock that all wait for
		msg.SetContext(ctx)
		r.context.Store(ctx)
		r.hand.Store(msg)
		acked := i.handOut(msg)
		ctx.Cancel()
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

func (i *Item) handOut(msg *message.Message) bool {
	if !i.To.hand(msg) { // nobody has it yet
		return false
	}
	select { // on nothing that all messages share, which would be a lock that all wait for
	case <-msg.Acked():
		return true
	case <-msg.Nacked():
		return false
	}
}

func (e *Engine) beginDrain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.draining.Load() {
		e.draining.Store(true)
		close(e.quit)
		e.recall()
		e.changed.Broadcast()
		e.roomy.Broadcast()
	}
}

// recall takes back what lies ready for readers. The lock is held.
func (e *Engine) recall() {
	for _, o := range e.outlets {
		o.reader.Load().recall()
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
	e.giveUp()
	e.running.Wait()
}

func (e *Engine) giveUp() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for r := range e.runners {
		if msg := r.hand.Load(); msg != nil { // one that is not in hand yet is not handed out, because the engine drains
			r.context.Load().Cancel()
			msg.Nack() // unless its outcome is durable
		}
	}
}
