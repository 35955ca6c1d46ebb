package keyed_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
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
