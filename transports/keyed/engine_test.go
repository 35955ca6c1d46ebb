package keyed_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/first-viscount/viscount/transports/keyed"
)

// schedule is one random history of an engine.
type schedule struct {
	keys, window int
	messages     []plan
	readers      [topics][]reading
	end          time.Duration // when it is closed; 0: when all is done
	drain        bool          // drained before
}

// plan is what happens to one message.
type plan struct {
	key      string
	topic    int
	refusals int
	delay    time.Duration // of each delivery
	withdraw bool          // right after it was added
}

// reading is what one reader of a topic does, before the next one comes. The last one stays.
type reading struct {
	lag   time.Duration // before each message that it reads
	takes int           // messages, then it leaves
	gap   time.Duration // until the next one comes
}

const topics = 3

func drawSchedule(t *rapid.T) schedule {
	s := schedule{keys: rapid.IntRange(1, 5).Draw(t, "keys"), window: rapid.IntRange(1, 12).Draw(t, "window")}
	s.messages = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) plan {
		p := plan{topic: rapid.IntRange(0, topics-1).Draw(t, "topic"), delay: time.Duration(rapid.IntRange(0, 30).Draw(t, "delay")) * time.Millisecond}
		if key := rapid.IntRange(0, 4).Draw(t, "key"); key > 0 {
			p.key = fmt.Sprint("key_", key)
		}
		p.refusals = max(0, rapid.IntRange(-4, 3).Draw(t, "refusals"))
		p.withdraw = rapid.IntRange(0, 9).Draw(t, "withdraw") == 0
		return p
	}), 1, 40).Draw(t, "messages")
	for topic := range s.readers {
		s.readers[topic] = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) reading {
			ms := func(most int, what string) time.Duration {
				return time.Duration(max(0, rapid.IntRange(-most, most).Draw(t, what))) * time.Millisecond
			}
			return reading{lag: ms(10, "lag"), takes: rapid.IntRange(0, 8).Draw(t, "takes"), gap: ms(20, "gap")}
		}), 1, 4).Draw(t, "readers")
	}
	if rapid.IntRange(0, 2).Draw(t, "closed early") == 0 {
		s.end = time.Duration(rapid.IntRange(1, 300).Draw(t, "end")) * time.Millisecond
		s.drain = rapid.Bool().Draw(t, "drained")
	}
	return s
}

// observer checks what is delivered while it happens.
type observer struct {
	mu        sync.Mutex
	s         schedule
	broken    []string
	active    map[string]int // by key
	delivered []int          // deliveries by message
	acked     []bool
	done      []int
	last      map[string]int // by key: the last message that was first delivered
	inside    int
	most      int
	closed    bool
}

func newObserver(s schedule) *observer {
	n := len(s.messages)
	return &observer{s: s, active: map[string]int{}, delivered: make([]int, n), acked: make([]bool, n), done: make([]int, n), last: map[string]int{}}
}

func (o *observer) fail(format string, args ...any) {
	o.broken = append(o.broken, fmt.Sprintf(format, args...))
}

// handle is the consumer: it looks, works for a while, and refuses or acknowledges.
func (o *observer) handle(i int, msg *message.Message) {
	p := o.s.messages[i]
	o.mu.Lock()
	if o.closed && msg.Context().Err() == nil {
		o.fail("message %d was delivered alive after the engine was closed", i)
	}
	o.delivered[i]++
	o.inside++
	o.most = max(o.most, o.inside)
	if p.key != "" {
		o.active[p.key]++
		if o.active[p.key] > 1 {
			o.fail("two messages of %s at once", p.key)
		}
		if before, any := o.last[p.key]; any && before > i {
			o.fail("message %d of %s after message %d", i, p.key, before)
		}
		if before, any := o.last[p.key]; any && before < i && !o.acked[before] && !o.s.messages[before].withdraw {
			o.fail("message %d of %s before message %d was acknowledged", i, p.key, before)
		}
		o.last[p.key] = i
	}
	if o.inside > o.s.keys {
		o.fail("%d messages at once, %d are allowed", o.inside, o.s.keys)
	}
	refuse := o.delivered[i] <= p.refusals
	o.mu.Unlock()

	select {
	case <-time.After(p.delay):
	case <-msg.Context().Done():
		refuse = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inside--
	if p.key != "" {
		o.active[p.key]--
	}
	if refuse || msg.Context().Err() != nil {
		msg.Nack()
		return
	}
	o.acked[i] = true
	msg.Ack()
}

func (o *observer) finish(i int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done[i]++
	if !o.acked[i] {
		o.fail("message %d was done before its acknowledgement", i)
	}
	if o.done[i] > 1 {
		o.fail("message %d was done twice", i)
	}
}

// play runs a schedule and answers what was broken.
func play(s schedule) []string {
	o := newObserver(s)
	e := keyed.New(keyed.Options{Keys: s.keys, Window: s.window, Redeliver: func(n int) time.Duration { return time.Duration(n) * time.Millisecond }})
	to := make([]*keyed.Outlet, topics)
	ctx, cancel := context.WithCancel(context.Background())
	var readers, all sync.WaitGroup
	for topic := range to {
		to[topic] = e.NewOutlet()
		readers.Go(func() {
			last := len(s.readers[topic]) - 1
			for n, r := range s.readers[topic] {
				r.read(ctx, to[topic], n == last, func(i int, msg *message.Message) { all.Go(func() { o.handle(i, msg) }) })
			}
		})
	}
	var ended sync.WaitGroup
	if s.end > 0 {
		ended.Go(func() {
			<-time.After(s.end) // of the bubble's clock: a point of the schedule
			endEngine(e, o, s.drain)
		})
	}
	taken := make([]bool, len(s.messages))
	for i, p := range s.messages {
		ticket, err := e.Add(ctx, keyed.Item{Key: p.key, Message: message.NewMessage(fmt.Sprint(i), nil), To: to[p.topic], Done: func() { o.finish(i) }})
		if err != nil {
			continue
		}
		taken[i] = true
		if n := e.InFlight(); n > s.window {
			o.mu.Lock()
			o.fail("%d messages inside a window of %d", n, s.window)
			o.mu.Unlock()
		}
		if p.withdraw {
			e.Withdraw([]*keyed.Ticket{ticket})
		}
	}
	if s.end == 0 {
		for began := time.Now(); e.InFlight() > 0 && time.Since(began) < time.Minute; { // of the bubble's clock; seconds are enough
			<-time.After(time.Millisecond)
		}
		if n := e.InFlight(); n > 0 {
			o.mu.Lock()
			o.fail("%d messages never end", n)
			o.mu.Unlock()
		}
		endEngine(e, o, false)
	}
	ended.Wait()
	cancel()
	readers.Wait()
	all.Wait()
	o.judge(taken)
	return o.broken
}

// read reads messages as the plan says, then leaves.
func (r reading) read(ctx context.Context, from *keyed.Outlet, stays bool, handle func(i int, msg *message.Message)) {
	out, leave := from.Read()
	for n := 0; stays || n < r.takes; n++ {
		<-time.After(r.lag) // of the bubble's clock, as the others here
		select {
		case msg := <-out:
			var i int
			if _, err := fmt.Sscan(msg.UUID, &i); err != nil {
				panic(err)
			}
			handle(i, msg)
		case <-ctx.Done():
			leave()
			return
		}
	}
	leave()
	<-time.After(r.gap)
}

func endEngine(e *keyed.Engine, o *observer, drain bool) {
	if drain {
		if err := e.Drain(context.Background()); err != nil {
			o.mu.Lock()
			o.fail("draining: %v", err)
			o.mu.Unlock()
		}
	}
	e.Close()
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
}

// judge looks at the whole history.
func (o *observer) judge(taken []bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, p := range o.s.messages {
		if o.acked[i] && o.done[i] != 1 && o.s.end == 0 { // an acknowledgement that crosses Close is the source's duplicate
			o.fail("message %d was acknowledged and done %d times", i, o.done[i])
		}
		if p.withdraw && o.delivered[i] > 1 {
			o.fail("message %d was delivered %d times, though it was withdrawn", i, o.delivered[i])
		}
		if o.s.end == 0 && taken[i] && !p.withdraw && o.delivered[i] != p.refusals+1 {
			o.fail("message %d was delivered %d times, refused %d", i, o.delivered[i], p.refusals)
		}
	}
}

// TestSchedules plays random schedules: keys never overlap and never reorder, a refused message comes again before the later
// ones of its key, done follows the acknowledgement once, and memory is bounded, whatever is acknowledged, refused, delayed,
// withdrawn or closed, and however readers lag, leave and come. rapid runs 100 checks of 100 schedules, in the time of a synctest bubble.
func TestSchedules(t *testing.T) {
	const each = 100
	played := 0
	rapid.Check(t, func(rt *rapid.T) {
		schedules := rapid.SliceOfN(rapid.Custom(drawSchedule), each, each).Draw(rt, "schedules")
		for _, s := range schedules {
			var broken []string
			synctest.Test(t, func(*testing.T) { broken = play(s) })
			if len(broken) > 0 {
				rt.Fatalf("%+v: %v", s, broken)
			}
			played++
		}
	})
	t.Logf("%d schedules", played)
	require.GreaterOrEqual(t, played, 10_000)
}

func TestAddWaitsForRoomUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := keyed.New(keyed.Options{Keys: 1, Window: 1})
		defer e.Close()
		to := e.NewOutlet()
		out, _ := to.Read()
		_, err := e.Add(t.Context(), keyed.Item{Message: message.NewMessage("1", nil), To: to, Done: func() {}})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = e.Add(ctx, keyed.Item{Message: message.NewMessage("2", nil), To: to, Done: func() {}})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		(<-out).Ack()
		_, err = e.Add(t.Context(), keyed.Item{Message: message.NewMessage("3", nil), To: to, Done: func() {}})
		require.NoError(t, err)
		require.NoError(t, drainOne(e, out))
		_, err = e.Add(t.Context(), keyed.Item{Message: message.NewMessage("4", nil), To: to, Done: func() {}})
		require.ErrorIs(t, err, keyed.ErrClosed)
	})
}

// drainOne lets the message in flight end while the engine drains.
func drainOne(e *keyed.Engine, out <-chan *message.Message) error {
	msg := <-out
	done := make(chan error, 1)
	go func() { done <- e.Drain(context.Background()) }()
	synctest.Wait()
	msg.Ack()
	return <-done
}

// A source is asked for a batch once there is room for one, and is told when the engine drains.
func TestRoomIsABatch(t *testing.T) {
	const window, batch = 64, 4
	e := keyed.New(keyed.Options{Keys: window, Window: window})
	defer e.Close()
	to := e.NewOutlet()
	out, _ := to.Read()
	for i := range window {
		_, err := e.Add(t.Context(), keyed.Item{Key: fmt.Sprint(i), Message: message.NewMessage("", nil), To: to, Done: func() {}})
		require.NoError(t, err)
	}
	wait := func() chan error {
		answer := make(chan error, 1)
		go func() {
			room, err := e.Room(t.Context())
			if err == nil && room < batch {
				err = fmt.Errorf("room for %d", room)
			}
			answer <- err
		}()
		return answer
	}
	answer := wait()
	for i := range batch {
		select {
		case err := <-answer:
			t.Fatalf("after %d messages: %v", i, err)
		case <-time.After(10 * time.Millisecond):
		}
		(<-out).Ack()
	}
	require.NoError(t, <-answer)
	for range batch {
		_, err := e.Add(t.Context(), keyed.Item{Message: message.NewMessage("", nil), To: to, Done: func() {}})
		require.NoError(t, err)
	}
	answer = wait()
	time.Sleep(10 * time.Millisecond)
	for range window {
		<-out // and never acknowledged
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.Error(t, e.Drain(short))
	select {
	case err := <-answer:
		require.ErrorIs(t, err, keyed.ErrClosed)
	case <-time.After(5 * time.Second):
		t.Fatal("nobody told who waits for room")
	}
}

func TestABusyKeyStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := keyed.New(keyed.Options{Keys: 1, Window: 100})
		defer e.Close()
		to := e.NewOutlet()
		out, _ := to.Read()
		add := func(key string) {
			_, err := e.Add(t.Context(), keyed.Item{Key: key, Message: message.NewMessage(key, nil), To: to, Done: func() {}})
			require.NoError(t, err)
		}
		for range 50 {
			add("busy")
		}
		add("quiet")
		var order []string
		for range 51 {
			msg := <-out
			order = append(order, msg.UUID)
			msg.Ack()
		}
		require.Contains(t, order[:3], "quiet")
	})
}
