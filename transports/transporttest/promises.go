package transporttest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/driver"
)

// RunViscount runs our own suite.
func RunViscount(t *testing.T, s Setup) {
	for _, test := range []struct {
		name    string
		run     func(t *testing.T, s Setup)
		several bool // needs consumers in several processes
	}{
		{name: "metadata and key survive", run: metadataSurvives},
		{name: "bytes are untouched", run: bytesUntouched},
		{name: "order per key under load, across two topics", run: orderPerKey},
		{name: "a refused message is paced and holds up its key only", run: refusalPaces},
		{name: "draining waits for work in flight", run: drainWaits},
		{name: "two consumers each get everything", run: everyConsumer},
		{name: "closing with work in flight neither hangs nor loses", run: closeLosesNothing, several: true},
		{name: "a restarted consumer continues", run: restartContinues, several: true},
		{name: "two instances of a consumer share the work", run: instancesShare, several: true},
		{name: "a new consumer begins at the first message", run: newConsumer, several: true},
		{name: "topics are read again, page by page", run: readAgain, several: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.several && !s.Driver.Capabilities.BetweenProcesses {
				t.Skip("inside one process the outbox keeps what is not taken; see the driver's own tests")
			}
			t.Parallel()
			test.run(t, s)
		})
	}
}

func metadataSurvives(t *testing.T, s Setup) {
	w := newWorld(t, s, 1, "reader")
	tr := w.process("reader")
	got := make(chan *message.Message, 1)
	w.consume(t.Context(), tr, "reader", func(_ string, msg *message.Message) {
		msg.Ack()
		got <- msg
	})
	want := map[string]string{
		"event_id": "0190", "event_type": "order.created", "correlation_id": strings.Repeat("ü", 64), "causation_id": "c", "sequence": "42",
		"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "a=b,c=d", "empty": "",
	}
	msg := newMessage("0190", "order_1/ä", []byte(`{}`))
	for name, value := range want {
		msg.Metadata.Set(name, value)
	}
	msg.Metadata.Set(driver.RoundMetadata, "3")
	w.publish(tr, w.topic(0), msg)
	received := <-got
	require.Equal(t, "0190", received.UUID)
	require.Equal(t, "order_1/ä", received.Metadata.Get(driver.KeyMetadata))
	for name, value := range want {
		require.Equal(t, value, received.Metadata.Get(name), name)
	}
	if s.Driver.Capabilities.BetweenProcesses {
		require.Empty(t, received.Metadata.Get(driver.RoundMetadata), "what is the process's own does not travel")
	}
}

func bytesUntouched(t *testing.T, s Setup) {
	w := newWorld(t, s, 1, "reader")
	tr := w.process("reader")
	payloads := map[string][]byte{
		"json": []byte("{ \"b\" : 1.50,\n\t\"a\":\"\\u00fc\" }\n"), "no json": []byte("{not json"), "invalid UTF-8": {0xff, 0xfe, 0x00, 0x01}, "one byte": {0},
		"large": bytes.Repeat([]byte("0123456789abcdef"), 16<<10), // 256 KiB, the limit of an event
	}
	var mu sync.Mutex
	got := map[string][]byte{}
	w.consume(t.Context(), tr, "reader", func(_ string, msg *message.Message) {
		mu.Lock()
		got[msg.UUID] = msg.Payload
		mu.Unlock()
		msg.Ack()
	})
	for name, payload := range payloads {
		w.publish(tr, w.topic(0), newMessage(name, name, payload))
	}
	eventually(t, "all payloads arrive", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(got) == len(payloads)
	})
	for name, payload := range payloads {
		require.True(t, bytes.Equal(payload, got[name]), name)
	}
}

// orderPerKey publishes runs of 64 keys on two topics and refuses some messages.
func orderPerKey(t *testing.T, s Setup) {
	const keys, each = 64, 40
	w := newWorld(t, s, 2, "reader")
	tr := w.process("reader")
	check := newOrderCheck()
	w.consume(t.Context(), tr, "reader", func(topic string, msg *message.Message) {
		check.handle(topic, msg, func(n int) bool { return n%13 != 5 })
	})
	publishRuns(w, tr, keys, each)
	eventually(t, "every message is handled", func() bool { return check.handled() == 2*keys*each })
	require.Empty(t, check.broken())
	if !s.Sluggish {
		require.Greater(t, int(check.most.Load()), keys/4, "keys are handled in parallel")
	}
}

// publishRuns publishes each × keys messages on each of the world's two topics, all keys at once.
func publishRuns(w *world, tr driver.Transport, keys, each int) {
	var publishers sync.WaitGroup
	for k := range keys {
		publishers.Go(func() {
			key := fmt.Sprint("key_", k)
			for from := 0; from < each; from += 10 {
				for topic := range w.topics {
					var run []*message.Message
					for n := from; n < min(from+10, each); n++ {
						run = append(run, newMessage(fmt.Sprintf("%d:%s:%d", topic, key, n), key, fmt.Append(nil, n)))
					}
					if err := tr.Publisher().Publish(w.topic(topic), run...); err != nil {
						w.t.Errorf("publishing: %v", err)
					}
				}
			}
		})
	}
	publishers.Wait()
}

func refusalPaces(t *testing.T, s Setup) {
	w := newWorld(t, s, 1, "reader")
	tr := w.process("reader")
	var healed atomic.Bool
	seen := newLedger()
	w.consume(t.Context(), tr, "reader", func(_ string, msg *message.Message) {
		seen.note(msg.UUID)
		if msg.UUID == "bad" && !healed.Load() {
			msg.Nack()
			return
		}
		msg.Ack()
	})
	w.publish(tr, w.topic(0), newMessage("bad", "k", []byte("1")), newMessage("behind", "k", []byte("2")))
	eventually(t, "the message comes", func() bool { return seen.count("bad") > 0 })
	began := time.Now()
	for i := range 20 {
		w.publish(tr, w.topic(0), newMessage(fmt.Sprint("other ", i), fmt.Sprint("o", i), []byte("3")))
	}
	eventually(t, "other keys go on", func() bool { return seen.distinct() == 21 })
	eventually(t, "it comes again", func() bool { return seen.count("bad") >= 4 })
	perSecond := float64(seen.count("bad")) / max(time.Since(began).Seconds(), 0.1)
	require.Less(t, perSecond, 200.0, "a refused message spins")
	require.Zero(t, seen.count("behind"))
	healed.Store(true)
	eventually(t, "the key goes on", func() bool { return seen.count("behind") == 1 })
}

func drainWaits(t *testing.T, s Setup) {
	w := newWorld(t, s, 1, "reader")
	tr := w.process("reader")
	begun, finish := make(chan struct{}), make(chan struct{})
	seen := newLedger()
	w.consume(t.Context(), tr, "reader", func(_ string, msg *message.Message) {
		seen.note(msg.UUID)
		if msg.UUID == "slow" {
			close(begun)
			<-finish
			if msg.Context().Err() != nil {
				t.Errorf("the context ended while the transport drained")
			}
		}
		msg.Ack()
	})
	w.publish(tr, w.topic(0), newMessage("slow", "k", []byte("1")))
	<-begun
	drained := make(chan error, 1)
	go func() { drained <- tr.Drain(context.WithoutCancel(t.Context())) }()
	select {
	case err := <-drained:
		t.Fatalf("drained with work in flight: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(finish)
	select {
	case err := <-drained:
		require.NoError(t, err)
	case <-time.After(patience):
		t.Fatal("draining hangs")
	}
}

func everyConsumer(t *testing.T, s Setup) {
	const n = 200
	w := newWorld(t, s, 1, "one", "two")
	tr := w.process("one", "two")
	ledgers := map[string]*ledger{"one": newLedger(), "two": newLedger()}
	for name, l := range ledgers {
		w.consume(t.Context(), tr, name, func(_ string, msg *message.Message) {
			l.note(msg.UUID)
			msg.Ack()
		})
	}
	for i := range n {
		w.publish(tr, w.topic(0), newMessage(fmt.Sprint(i), fmt.Sprint("k", i%16), []byte("x")))
	}
	eventually(t, "each consumer has everything", func() bool { return ledgers["one"].distinct() == n && ledgers["two"].distinct() == n })
}

// closeLosesNothing closes a consumer while handlers are busy: those see their context end, and everything that was not
// acknowledged comes again.
func closeLosesNothing(t *testing.T, s Setup) {
	const n = 300
	w := newWorld(t, s, 1, "reader")
	publisher := w.process()
	first := w.process("reader")
	acked, again := newLedger(), newLedger()
	var busy atomic.Int64
	readers := w.consume(t.Context(), first, "reader", func(_ string, msg *message.Message) {
		if acked.distinct() >= n/10 { // from here on nothing is finished
			busy.Add(1)
			<-msg.Context().Done()
			msg.Nack()
			return
		}
		acked.note(msg.UUID)
		msg.Ack()
	})
	for i := range n {
		w.publish(publisher, w.topic(0), newMessage(fmt.Sprint(i), fmt.Sprint("k", i), []byte("x")))
	}
	eventually(t, "handlers are busy", func() bool { return busy.Load() > 10 })
	closed := make(chan error, 1)
	go func() { closed <- first.Close() }()
	select {
	case err := <-closed:
		require.NoError(t, err)
	case <-time.After(patience):
		t.Fatal("closing hangs")
	}
	readers.Wait()
	second := w.process("reader")
	w.consume(t.Context(), second, "reader", func(_ string, msg *message.Message) {
		again.note(msg.UUID)
		msg.Ack()
	})
	missing := func() (ids []string) {
		for i := range n {
			if id := fmt.Sprint(i); acked.count(id)+again.count(id) == 0 {
				ids = append(ids, id)
			}
		}
		return ids
	}
	defer func() {
		t.Logf("%d acknowledged before, %d came again, missing %v", acked.distinct(), again.distinct(), missing())
	}()
	eventually(t, "everything was acknowledged or comes again", func() bool { return len(missing()) == 0 })
}

func restartContinues(t *testing.T, s Setup) {
	const n = 100
	w := newWorld(t, s, 1, "reader")
	publisher := w.process()
	total := newLedger()
	var lateDuplicates atomic.Int64
	for run := range 3 {
		for i := range n {
			w.publish(publisher, w.topic(0), newMessage(fmt.Sprint(run*n+i), fmt.Sprint("k", i%8), []byte("x")))
		}
		tr := w.process("reader")
		ctx, stop := context.WithCancel(t.Context())
		readers := w.consume(ctx, tr, "reader", func(_ string, msg *message.Message) {
			if total.note(msg.UUID) > 1 {
				lateDuplicates.Add(1)
			}
			msg.Ack()
		})
		eventually(t, "the run's messages arrive", func() bool { return total.distinct() == (run+1)*n })
		require.NoError(t, tr.Drain(t.Context()))
		stop()
		readers.Wait()
		require.NoError(t, tr.Close())
	}
	require.Zero(t, lateDuplicates.Load(), "an orderly stop leaves nothing to be delivered again")
}

func instancesShare(t *testing.T, s Setup) {
	const keys, each = 64, 60
	w := newWorld(t, s, 2, "reader")
	publisher := w.process()
	check := newOrderCheck()
	check.apart = s.Apart
	var shares [2]atomic.Int64
	for i := range shares {
		tr := w.process("reader")
		w.consume(t.Context(), tr, "reader", func(topic string, msg *message.Message) {
			shares[i].Add(1)
			check.handle(topic, msg, func(int) bool { return true })
		})
	}
	eventually(t, "both instances have work", func() bool {
		for k := range keys {
			w.publish(publisher, w.topic(0), newMessage("probe", fmt.Sprint("probe_", k), []byte("-1")))
		}
		time.Sleep(50 * time.Millisecond)
		return shares[0].Load() > 0 && shares[1].Load() > 0
	})
	publishRuns(w, publisher, keys, each)
	eventually(t, "every message is handled", func() bool { return check.handled() >= 2*keys*each || len(check.broken()) > 0 })
	require.Empty(t, check.broken())
	t.Logf("shares: %d and %d, %d duplicates", shares[0].Load(), shares[1].Load(), check.dup)
}

func newConsumer(t *testing.T, s Setup) {
	const n = 50
	w := newWorld(t, s, 1, "late")
	publisher := w.process() // creates what the platform's consumers need
	for i := range n {
		w.publish(publisher, w.topic(0), newMessage(fmt.Sprint(i), "k", []byte("x")))
	}
	seen := newLedger()
	w.consume(t.Context(), w.process("late"), "late", func(_ string, msg *message.Message) {
		seen.note(msg.UUID)
		msg.Ack()
	})
	eventually(t, "what was published before arrives", func() bool { return seen.distinct() == n })
	seen.mu.Lock()
	defer seen.mu.Unlock()
	for i, id := range seen.order {
		require.Equal(t, fmt.Sprint(i), id, "in order")
	}
}
