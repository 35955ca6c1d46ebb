package keyed

import (
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Outlet is where the messages of a topic are read, by one reader after another. Messages go from the engine to the reader
// with no goroutine in between: at full speed that would cost as much as all of the engine.
type Outlet struct {
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

// ahead is how many messages lie ready for a reader, so that it begins them one after another, and the engine's goroutine of
// each sleeps once, until its acknowledgement, and not before that, too, until it is read.
const ahead = 256

// NewOutlet makes one that nobody reads yet.
func NewOutlet() *Outlet {
	nobody := &reader{next: make(chan struct{}), closed: true}
	o := &Outlet{}
	o.reader.Store(nobody)
	return o
}

// Read gives the messages from now on, until leave is called; then they wait for the next reader, also those that lay ready.
func (o *Outlet) Read() (messages <-chan *message.Message, leave func()) {
	r := &reader{out: make(chan *message.Message, ahead), left: make(chan struct{}), next: make(chan struct{})}
	close(o.reader.Swap(r).next)
	return r.out, r.leave
}

func (r *reader) leave() {
	close(r.left)
	r.handing.Lock()
	r.closed = true
	r.handing.Unlock()
	close(r.out)
	for msg := range r.out { // the engine hands them out again
		msg.Nack()
	}
}

// hand waits until a reader can have the message; false if quit came first.
func (o *Outlet) hand(msg *message.Message, quit <-chan struct{}) bool {
	for {
		r := o.reader.Load()
		sent, left := r.take(msg, quit)
		if !left {
			return sent
		}
		select {
		case <-r.next:
		case <-quit:
			return false
		}
	}
}

// take gives the message to a reader, unless it has left.
func (r *reader) take(msg *message.Message, quit <-chan struct{}) (sent, left bool) {
	r.handing.RLock()
	defer r.handing.RUnlock()
	if r.closed {
		return false, true
	}
	select {
	case r.out <- msg: // at once, as long as nobody lags: the others below are locks that all messages share
		return true, false
	default:
	}
	select {
	case r.out <- msg:
		return true, false
	case <-quit:
		return false, false
	case <-r.left:
		return false, true
	}
}
