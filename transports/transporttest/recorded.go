package transporttest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/driver"
)

// readAgain publishes on two topics, has a consumer take it all, and reads it again: every byte, those of a key in order.
func readAgain(t *testing.T, s Setup) {
	const keys, each = 10, 30
	w := newWorld(t, s, 2, "reader")
	tr := w.process("reader")
	recorder, ok := tr.(driver.Recorder)
	require.Equal(t, s.Driver.Capabilities.Records, ok, "who declares that topics keep events can read them again")
	if !ok {
		t.Skip("the outbox keeps recorded events")
	}
	topics := append(w.names(), w.id+".not.there.v1")
	read := func(after driver.Positions, each int) []string { return readAll(t, recorder, topics, after, each) }
	require.Empty(t, read(driver.Positions{}, 10), "nothing is there yet")

	seen := newLedger()
	w.consume(t.Context(), tr, "reader", func(_ string, msg *message.Message) {
		seen.note(msg.UUID)
		msg.Ack()
	})
	want := map[string][]string{} // by topic and key
	for i, topic := range w.names() {
		for n := range each {
			for k := range keys {
				id, key := fmt.Sprintf("%d-%d-%d", i, k, n), fmt.Sprint("key", k)
				msg := newMessage(id, key, []byte("{ \"n\": "+id+"\n}\xff"))
				msg.Metadata.Set("event_id", id)
				w.publish(tr, topic, msg)
				want[topic+" "+key] = append(want[topic+" "+key], topic+" "+key+" "+id+" "+string(msg.Payload))
			}
		}
	}
	eventually(t, "the consumer has all", func() bool { return seen.distinct() == 2*keys*each })

	at := driver.Positions{}
	got := map[string][]string{}
	for _, line := range read(at, 7) {
		parts := strings.SplitN(line, " ", 3)
		got[parts[0]+" "+parts[1]] = append(got[parts[0]+" "+parts[1]], line)
	}
	require.Equal(t, want, got)
	n, err := recorder.Count(t.Context(), topics)
	require.NoError(t, err)
	require.Equal(t, int64(2*keys*each), n)
	require.Len(t, read(driver.Positions{}, 10_000), 2*keys*each, "in one page as well")

	require.Empty(t, read(at, 10), "to the end")
	ends, err := recorder.Ends(t.Context(), topics)
	require.NoError(t, err)
	require.Equal(t, at, ends)
	w.publish(tr, w.topic(1), newMessage("late", "key3", []byte("late")))
	require.Equal(t, []string{w.topic(1) + " key3  late"}, read(ends, 10), "what comes later")
	eventually(t, "the consumer goes on where it was", func() bool { return seen.count("late") == 1 })
}

// readAll reads what topics hold after the positions, page by page: topic, key, event_id and payload of each message.
func readAll(t *testing.T, recorder driver.Recorder, topics []string, after driver.Positions, each int) (all []string) {
	for more := true; more; {
		var page []driver.Recorded
		var err error
		page, more, err = recorder.Read(t.Context(), topics, after, each)
		require.NoError(t, err)
		for _, r := range page {
			if last, known := after[r.Place]; known {
				require.Greater(t, r.Offset, last)
			}
			after[r.Place] = r.Offset
			all = append(all, r.Topic+" "+r.Metadata.Get(driver.KeyMetadata)+" "+r.Metadata.Get("event_id")+" "+string(r.Payload))
		}
	}
	return all
}
