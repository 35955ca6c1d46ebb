package simulator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
)

// watched is what the stream has told of an order.
type watched struct {
	completed, cancelled, unpaid bool
	asked                        bool // a refund will be asked for
	requested, refunded          events.Money
}

// ended is the saga's rule of what is settled (domain.md).
func (w watched) ended() bool {
	switch {
	case w.cancelled:
		return w.unpaid || w.refunded > 0
	case w.completed:
		return !w.asked && w.requested == w.refunded
	}
	return false
}

// watcher follows the platform's event stream and knows which orders are settled.
type watcher struct {
	r    *run
	room *sync.Cond // on mu: fewer orders are open

	mu       sync.Mutex
	open     map[string]*order
	later    map[string]func(context.Context) error // when the order is completed
	progress time.Time
	others   atomic.Bool  // somebody else's order was completed or refunded
	extra    atomic.Int64 // delayed actions under way; not a WaitGroup, because events may still start one
}

func newWatcher(r *run) *watcher {
	w := &watcher{r: r, open: map[string]*order{}, later: map[string]func(context.Context) error{}, progress: time.Now()}
	w.room = sync.NewCond(&w.mu)
	return w
}

func (w *watcher) expect(o *order) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[o.id] = o
}

func (w *watcher) forget(o *order) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.close(o)
}

// close takes an order off the list. The caller holds mu.
func (w *watcher) close(o *order) {
	delete(w.open, o.id)
	w.progress = time.Now()
	w.room.Broadcast()
	w.r.progress.Add(1)
}

// onCompleted runs f when the order is completed; until then it counts as not settled.
func (w *watcher) onCompleted(o *order, f func(context.Context) error) {
	w.mu.Lock()
	completed := o.watch.completed
	if !completed {
		w.later[o.id] = f
	}
	w.mu.Unlock()
	if completed {
		w.after(context.Background(), 0, f)
	}
}

// after runs f in a while, beside the shoppers.
func (w *watcher) after(ctx context.Context, delay time.Duration, f func(context.Context) error) {
	w.extra.Add(1)
	go func() {
		defer w.extra.Add(-1)
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return
		}
		if err := f(ctx); err != nil && ctx.Err() == nil {
			w.r.failed.CompareAndSwap(nil, &err)
		}
	}()
}

func (w *watcher) waitForRoom(ctx context.Context, room *sync.Cond) error {
	stop := context.AfterFunc(ctx, room.Broadcast)
	defer stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.open) >= unended && ctx.Err() == nil && w.r.failed.Load() == nil {
		if time.Since(w.progress) > w.r.SettleTimeout {
			return fmt.Errorf("no order settled for %s", w.r.SettleTimeout)
		}
		wake := time.AfterFunc(time.Second, room.Broadcast)
		room.Wait()
		wake.Stop()
	}
	return ctx.Err()
}

// watchedTypes are the events that settle orders.
const watchedTypes = "order.completed,order.cancelled,order.refunded,order.refund_requested,payment.failed"

// follow reads the stream until ctx ends, resuming where it was cut. ready is closed when it first stands.
func (w *watcher) follow(ctx context.Context, ready chan struct{}) {
	last := ""
	var once sync.Once
	for ctx.Err() == nil {
		err := w.read(ctx, &last, func() { once.Do(func() { close(ready) }) })
		if ctx.Err() == nil && err != nil {
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
}

func (w *watcher) read(ctx context.Context, last *string, connected func()) (err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.r.http.base+"/api/v1/events/stream?type="+watchedTypes, nil)
	if err != nil {
		return err
	}
	if *last != "" {
		request.Header.Set("Last-Event-ID", *last)
	}
	w.r.http.authorise(request)
	response, err := w.r.http.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the event stream answers %s", response.Status)
	}
	connected()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 2*events.MaxSize)
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			*last = id
		} else if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			w.see(ctx, data)
		}
	}
	return errors.Join(lines.Err(), errors.New("the stream ended"))
}

func (w *watcher) see(ctx context.Context, data string) {
	var e struct {
		EventType string `json:"event_type"`
		Data      struct {
			OrderID string       `json:"order_id"`
			Refund  events.Money `json:"refund_amount"`
		} `json:"data"`
	}
	if json.Unmarshal([]byte(data), &e) != nil {
		return // the recount will miss what this told
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if (e.EventType == "order.completed" || e.EventType == "order.refunded") && !w.r.own(e.Data.OrderID) {
		w.others.Store(true)
	}
	o := w.open[e.Data.OrderID]
	if o == nil {
		return
	}
	switch e.EventType {
	case "order.completed":
		o.watch.completed = true
		if f := w.later[o.id]; f != nil {
			delete(w.later, o.id)
			o.watch.asked = true
			w.after(ctx, 0, f)
		}
	case "order.cancelled":
		o.watch.cancelled = true
	case "order.refunded":
		o.watch.refunded += e.Data.Refund
	case "order.refund_requested":
		o.watch.requested += e.Data.Refund
		o.watch.asked = false
	case "payment.failed":
		o.watch.unpaid = true
	}
	w.progress = time.Now()
	if o.watch.ended() {
		o.settled = time.Now()
		w.close(o)
	}
}

// settle waits until every order is settled. Where the stream says nothing for a while, the orders themselves are asked.
func (w *watcher) settle(ctx context.Context) error {
	for {
		w.mu.Lock()
		silent, open, extra := time.Since(w.progress), len(w.open), w.extra.Load()
		w.mu.Unlock()
		if extra == 0 && (open == 0 || ctx.Err() != nil || w.r.failed.Load() != nil) {
			return ctx.Err()
		}
		if silent > w.r.SettleTimeout && open > 0 {
			return fmt.Errorf("%d orders did not settle within %s", open, w.r.SettleTimeout)
		}
		if silent > 2*time.Second {
			w.ask(ctx)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// ask looks at the open orders directly.
func (w *watcher) ask(ctx context.Context) {
	w.mu.Lock()
	open := make([]*order, 0, len(w.open))
	for _, o := range w.open {
		open = append(open, o)
	}
	w.mu.Unlock()
	for _, o := range open {
		var facts orderFacts
		if err := w.r.http.get(ctx, "/orders/"+o.id, &facts); err != nil || !facts.Settled {
			continue
		}
		w.mu.Lock()
		if _, still := w.open[o.id]; still {
			o.settled = time.Now()
			w.close(o)
		}
		w.mu.Unlock()
	}
}
