package keyed_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/keyed"
)

// Messages wait for a reader, and pass from one that leaves without them to the next; nobody gets one twice.
func TestAnOutletGoesFromReaderToReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := keyed.New(keyed.Options{Keys: 3})
		defer e.Close()
		to := e.NewOutlet()
		done := 0
		for _, name := range []string{"1", "2", "3"} {
			_, err := e.Add(t.Context(), keyed.Item{Key: name, Message: message.NewMessage(name, nil), To: to, Done: func() { done++ }})
			require.NoError(t, err)
		}
		synctest.Wait() // all wait for a reader
		first, leave := to.Read()
		read := map[string]bool{}
		take := func(from <-chan *message.Message) {
			msg := <-from
			require.False(t, read[msg.UUID], msg.UUID)
			read[msg.UUID] = true
			msg.Ack()
		}
		take(first)
		synctest.Wait() // the others lie ready for the first reader
		leave()
		_, open := <-first
		require.False(t, open)
		second, leave := to.Read()
		take(second)
		take(second)
		leave()
		synctest.Wait()
		require.Equal(t, 3, done)
	})
}

// Subscriptions to a topic that are open at once end each on its own; the latest has the messages.
func TestTheLatestReaderHasTheMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := keyed.New(keyed.Options{Keys: 2})
		defer e.Close()
		to := e.NewOutlet()
		earlier, leaveEarlier := to.Read()
		latest, leave := to.Read()
		_, err := e.Add(t.Context(), keyed.Item{Message: message.NewMessage("1", nil), To: to, Done: func() {}})
		require.NoError(t, err)
		leaveEarlier()
		_, open := <-earlier
		require.False(t, open)
		(<-latest).Ack()
		leave()
	})
}

// What lies ready when the engine drains is not begun any more: a reader does not get it, and the drain does not wait for it.
func TestADrainTakesBackWhatLiesReady(t *testing.T) {
	for _, after := range []string{"it lies ready", "the reader has left"} {
		synctest.Test(t, func(t *testing.T) {
			e := keyed.New(keyed.Options{Keys: 10})
			defer e.Close()
			to := e.NewOutlet()
			out, leave := to.Read()
			if after == "the reader has left" {
				leave()
			} else {
				defer leave()
			}
			for i := range 10 {
				_, err := e.Add(t.Context(), keyed.Item{Key: fmt.Sprint(i), Message: message.NewMessage("", nil), To: to, Done: func() {}})
				require.NoError(t, err)
			}
			synctest.Wait()
			began := time.Now()
			require.NoError(t, e.Drain(t.Context()))
			require.Equal(t, began, time.Now(), "it waits for nothing")
			select {
			case msg, open := <-out:
				require.False(t, open, "%v", msg)
			default:
			}
		})
	}
}

// What is withdrawn while it lies ready reaches nobody; the others do.
func TestWhatIsWithdrawnWhileItLiesReadyIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := keyed.New(keyed.Options{Keys: 2})
		defer e.Close()
		to := e.NewOutlet()
		out, leave := to.Read()
		defer leave()
		var tickets []*keyed.Ticket
		for _, name := range []string{"goes", "stays"} {
			ticket, err := e.Add(t.Context(), keyed.Item{Key: name, Message: message.NewMessage(name, nil), To: to, Done: func() {}})
			require.NoError(t, err)
			tickets = append(tickets, ticket)
		}
		synctest.Wait()
		e.Withdraw(tickets[:1])
		require.NoError(t, e.Await(t.Context(), tickets[:1]))
		msg := <-out
		require.Equal(t, "stays", msg.UUID)
		msg.Ack()
		synctest.Wait()
		require.Zero(t, e.InFlight())
	})
}

// More than may lie ready for a reader that does not read: the next reader gets all of it, and a drain waits for none.
func TestAReaderThatDoesNotReadHoldsNothingUp(t *testing.T) {
	for _, end := range []string{"it leaves", "another one reads", "the engine drains"} {
		synctest.Test(t, func(t *testing.T) {
			const messages = 300
			e := keyed.New(keyed.Options{Keys: messages})
			defer e.Close()
			to := e.NewOutlet()
			out, leave := to.Read()
			require.Less(t, cap(out), messages)
			var done atomic.Int32
			for i := range messages {
				_, err := e.Add(t.Context(), keyed.Item{Key: fmt.Sprint(i), Message: message.NewMessage("", nil), To: to, Done: func() { done.Add(1) }})
				require.NoError(t, err)
			}
			synctest.Wait() // some lie ready, the others wait for them to be read
			if end == "the engine drains" {
				defer leave()
				require.NoError(t, e.Drain(t.Context()))
				return
			}
			if end == "it leaves" {
				leave()
			} else {
				defer leave()
			}
			next, leave := to.Read()
			defer leave()
			for range messages {
				(<-next).Ack()
			}
			synctest.Wait()
			require.EqualValues(t, messages, done.Load())
		})
	}
}
