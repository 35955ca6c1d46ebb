package keyed_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/first-viscount/viscount/transports/keyed"
)

// streamed is a stream whose messages are in the hands of a reader, by their numbers.
type streamed struct {
	consumer *keyed.Consumer
	stream   *keyed.Stream
	in       []*message.Message

	mu    sync.Mutex
	marks []int64
}

// startAt is where reading begins; positions have gaps.
const startAt = 99

func position(i int) int64 { return startAt + 1 + 2*int64(i) }

func newStreamed(t require.TestingT, n int) *streamed {
	s := &streamed{consumer: keyed.NewConsumer("c", []string{"topic"}, keyed.Options{Keys: n}), in: make([]*message.Message, n)}
	s.stream = keyed.NewStream(s.consumer, "topic", startAt, func(done int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.marks = append(s.marks, done)
	})
	out, leave := s.consumer.Outlet("topic").Read()
	defer leave()
	for i := range n {
		require.NoError(t, s.stream.Take(context.Background(), keyed.Message{At: position(i), Published: time.Now(), Message: message.NewMessage(fmt.Sprint(i), nil)}))
		s.in[i] = <-out
	}
	return s
}

// acknowledge waits until the engine has noted it.
func (s *streamed) acknowledge(t require.TestingT, i int) {
	before := s.consumer.Engine.InFlight()
	require.True(t, s.in[i].Ack())
	require.Eventually(t, func() bool { return s.consumer.Engine.InFlight() == before-1 }, 5*time.Second, 100*time.Microsecond)
}

func TestAStreamNeverPassesAnUnfinishedMessage(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(rt, "n")
		order := rapid.Permutation(numbers(n)).Draw(rt, "order")
		s := newStreamed(rt, n)
		defer s.consumer.Close()
		finished := make([]bool, n)
		var want []int64
		done, left := int64(startAt), n
		for _, i := range order {
			s.acknowledge(rt, i)
			finished[i] = true
			left--
			before := done
			for k := 0; k < n && finished[k]; k++ {
				done = position(k)
			}
			if done != before {
				want = append(want, done)
			}
			require.Equal(rt, done, s.stream.Done())
			unfinished, _ := s.stream.Unfinished()
			require.Equal(rt, left, unfinished)
			settled := position(n)
			for k := range n {
				if !finished[k] {
					settled = position(k) - 1
					break
				}
			}
			require.Equal(rt, settled, s.stream.Settled(position(n)))
		}
		require.Equal(rt, want, s.marks, "each rise is told once, in order")
	})
}

func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestAStreamThatIsGivenUpTakesNothingAndMovesNothing(t *testing.T) {
	s := newStreamed(t, 3)
	defer s.consumer.Close()
	s.acknowledge(t, 1)
	require.Len(t, s.stream.Withdraw(), 2, "what is unfinished")
	require.ErrorIs(t, s.stream.Take(t.Context(), keyed.Message{At: position(3), Published: time.Now(), Message: message.NewMessage("3", nil)}), keyed.ErrWithdrawn)
	s.acknowledge(t, 0)
	require.Equal(t, []int64{position(1)}, s.marks, "what was in hand counts when it is acknowledged")
	s.stream.Drop()
	s.acknowledge(t, 2)
	require.Equal(t, []int64{position(1)}, s.marks)
}

// Messages that are taken together keep the order of each key, also where they are more than the window holds.
func TestWhatIsTakenTogetherKeepsItsOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		window := rapid.IntRange(1, 8).Draw(rt, "window")
		keys := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", ""}), 1, 30).Draw(rt, "keys")
		c := keyed.NewConsumer("c", []string{"topic"}, keyed.Options{Keys: 3, Window: window})
		defer c.Close()
		s := keyed.NewStream(c, "topic", startAt, func(int64) {})
		out, leave := c.Outlet("topic").Read()
		defer leave()
		read := make(chan map[string][]string, 1)
		go func() {
			seen := map[string][]string{}
			for range keys {
				msg := <-out
				seen[msg.Metadata.Get("key")] = append(seen[msg.Metadata.Get("key")], msg.UUID)
				msg.Ack()
			}
			read <- seen
		}()
		want := map[string][]string{}
		var batch []keyed.Message
		for i, key := range keys {
			msg := message.NewMessage(fmt.Sprintf("%02d", i), nil)
			msg.Metadata.Set("key", key)
			want[key] = append(want[key], msg.UUID)
			batch = append(batch, keyed.Message{At: position(i), Published: time.Now(), Key: key, Message: msg})
			if rapid.Bool().Draw(rt, "take") {
				require.NoError(rt, s.Take(context.Background(), batch...))
				batch = nil
			}
		}
		require.NoError(rt, s.Take(context.Background(), batch...))
		got := <-read
		slices.Sort(got[""]) // which has no order
		require.Equal(rt, want, got)
		require.Eventually(rt, func() bool { return s.Done() == position(len(keys)-1) }, 5*time.Second, 100*time.Microsecond)
	})
}

// A batch that ends half way, because its context does, holds the mark before what was not taken in.
func TestWhatWasNotTakenInHoldsTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := keyed.NewConsumer("c", []string{"topic"}, keyed.Options{Keys: 5, Window: 2})
		defer c.Close()
		s := keyed.NewStream(c, "topic", startAt, func(int64) {})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		batch := make([]keyed.Message, 5)
		for i := range batch {
			batch[i] = keyed.Message{At: position(i), Published: time.Now(), Message: message.NewMessage(fmt.Sprint(i), nil)}
		}
		require.ErrorIs(t, s.Take(ctx, batch...), context.DeadlineExceeded)
		out, leave := c.Outlet("topic").Read()
		defer leave()
		(<-out).Ack()
		(<-out).Ack()
		synctest.Wait()
		require.Equal(t, position(1), s.Done())
		require.Len(t, s.Withdraw(), 3)
		require.Zero(t, c.Engine.InFlight())
	})
}

// An age of nothing would say that nothing was taken.
func TestWhatWasTakenHasAnAgeWhateverItsPublishersClockSays(t *testing.T) {
	c := keyed.NewConsumer("c", []string{"topic"}, keyed.Options{})
	defer c.Close()
	s := keyed.NewStream(c, "topic", startAt, func(int64) {})
	_, age := s.Unfinished()
	require.Zero(t, age)
	require.NoError(t, s.Take(t.Context(), keyed.Message{At: position(0), Published: time.Now().Add(time.Hour), Message: message.NewMessage("", nil)}))
	n, age := s.Unfinished()
	require.Equal(t, 1, n)
	require.Positive(t, age)
}
