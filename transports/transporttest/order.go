package transporttest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/transports/driver"
)

// orderCheck watches that a key is handled one message at a time over all topics, and in order within each.
type orderCheck struct {
	apart  bool // topics may be read by different instances: only those of one are held to each other
	mu     sync.Mutex
	busy   map[string]bool
	next   map[string]int // by topic and key
	done   int
	dup    int
	errors []string
	inside atomic.Int64
	most   atomic.Int64
}

func newOrderCheck() *orderCheck {
	return &orderCheck{busy: map[string]bool{}, next: map[string]int{}}
}

// handle takes a message, refusing it the first time unless accept says otherwise.
func (o *orderCheck) handle(topic string, msg *message.Message, accept func(n int) bool) {
	key := msg.Metadata.Get(driver.KeyMetadata)
	lane := topic + "/" + key
	var n int
	_, _ = fmt.Sscan(string(msg.Payload), &n) // our own payload
	o.mu.Lock()
	if o.apart {
		key = lane
	}
	if o.busy[key] {
		o.errors = append(o.errors, "two messages of "+key+" at once")
	}
	o.busy[key] = true
	switch want := o.next[lane]; {
	case n > want:
		o.errors = append(o.errors, fmt.Sprintf("%s: message %d while %d is due", lane, n, want))
	case n < want:
		o.dup++
	}
	o.mu.Unlock()
	for inside := o.inside.Add(1); ; {
		if most := o.most.Load(); inside <= most || o.most.CompareAndSwap(most, inside) {
			break
		}
	}
	time.Sleep(time.Millisecond) // the work
	o.inside.Add(-1)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.busy[key] = false
	refused := fmt.Sprint(lane, "#", n)
	if !accept(n) && !o.busy[refused] {
		o.busy[refused] = true
		msg.Nack()
		return
	}
	if n == o.next[lane] {
		o.next[lane]++
		o.done++
	}
	msg.Ack()
}

func (o *orderCheck) handled() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done
}

func (o *orderCheck) broken() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.errors
}
