package keyed

import (
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Outlet is where the messages of a topic are read, by one reader after another. Messages go from the engine to the reader
// with no goroutine in between: at full speed that would cost as much as all of the engine.
type Outlet struct {
	engine *Engine
	reader atomic.Pointer[reader] // the latest
}

// reader is somebody who reads, or, with next, the place of one who has not come yet.
type reader struct {
	out  chan *message.Message
	left chan struct{} // closed when it reads no more
	next chan struct{} // closed when another one has taken its place

	handing sync.RWMutex // shared by those who may send to out
	closed  bool
}

// ahead is how many messages may lie ready for a reader: the engine's goroutine of each then sleeps once, until the
// acknowledgement, and not also until it is read.
const ahead = 256

// NewOutlet makes one for messages of the engine, which nobody reads yet.
func (e *Engine) NewOutlet() *Outlet {
	o := &Outlet{engine: e}
	o.reader.Store(&reader{next: make(chan struct{}), closed: true})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.outlets = append(e.outlets, o)
	return o
}

// Read gives the messages from now on, until leave is called; then they wait for the next reader, also those that lay ready.
func (o *Outlet) Read() (messages <-chan *message.Message, leave func()) {
	r := &reader{out: make(chan *message.Message, ahead), left: make(chan struct{}), next: make(chan struct{})}
	before := o.reader.Swap(r)
	close(before.next)
	before.recall()
	return r.out, r.leave
}

func (r *reader) leave() {
	close(r.left)
	r.handing.Lock()
	r.closed = true
	r.handing.Unlock()
	close(r.out)
	r.recall()
}

// recall gives what lies ready back to the engine, which hands it out again or, when it drains, leaves it to the source.
func (r *reader) recall() {
	for {
		select {
		case msg, open := <-r.out:
			if !open {
				return
			}
			msg.Nack()
		default:
			return
		}
	}
}

// hand waits until a reader can have the message; false if the engine drains first.
func (o *Outlet) hand(msg *message.Message) bool {
	for {
		r := o.reader.Load()
		sent, left := o.give(r, msg)
		if !left {
			return sent
		}
		select {
		case <-r.next:
		case <-o.engine.quit:
			return false
		}
	}
}

// give gives the message to a reader, unless it has left.
func (o *Outlet) give(r *reader, msg *message.Message) (sent, left bool) {
	r.handing.RLock()
	defer r.handing.RUnlock()
	if r.closed {
		return false, true
	}
	if o.engine.draining.Load() {
		return false, false
	}
	select {
	case r.out <- msg: // as long as nobody lags: it saves the lock of left, which all messages share
	default:
		select {
		case r.out <- msg: // also when the engine drains, because that takes back what lay there
		case <-r.left:
			return false, true
		}
	}
	if o.engine.draining.Load() || o.reader.Load() != r { // since the looks before, and what lay there was recalled then
		r.recall()
	}
	return true, false
}
