package keyed_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/keyed"
)

// BenchmarkDelivery compares the engine with the two ways of doing without it: everything at once, which loses the order, and
// one at a time, which loses the parallelism. The handler takes 100 µs, over 1,000 keys.
func BenchmarkDelivery(b *testing.B) {
	work := func(msg *message.Message) {
		<-time.After(100 * time.Microsecond)
		msg.Ack()
	}
	b.Run("engine", func(b *testing.B) {
		e := keyed.New(keyed.Options{Keys: 512})
		defer e.Close()
		to := e.NewOutlet()
		out, _ := to.Read()
		stop := make(chan struct{})
		go func() {
			for {
				select {
				case msg := <-out:
					go work(msg)
				case <-stop:
					return
				}
			}
		}()
		var done atomic.Int64
		for i := range b.N {
			_, err := e.Add(b.Context(), keyed.Item{Key: fmt.Sprint(i % 1000), Message: message.NewMessage("", nil), To: to, Done: func() { done.Add(1) }})
			require.NoError(b, err)
		}
		for e.InFlight() > 0 {
			<-time.After(50 * time.Microsecond)
		}
		close(stop)
		require.Equal(b, int64(b.N), done.Load())
	})
	b.Run("unordered goroutines", func(b *testing.B) {
		var all sync.WaitGroup
		for range b.N {
			all.Go(func() { work(message.NewMessage("", nil)) })
		}
		all.Wait()
	})
	b.Run("one at a time", func(b *testing.B) {
		for range b.N {
			work(message.NewMessage("", nil))
		}
	})
}
