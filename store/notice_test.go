package store_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/store"
)

// FuzzNoticeHeaders: whatever a failure says, its headers are single printable lines that Pub/Sub takes, and the same when
// the notice was read from its body.
func FuzzNoticeHeaders(f *testing.F) {
	f.Add("orders.order.created.v1", "3", "1234", "inventory", "handler_failed", "the shelf is locked")
	f.Add("t", "", "", "c", "timeout", "a\r\n__dlq.errors.code: fine\x1b[2J\u2028\u202e\x00\xff")
	f.Add("t", "0", "0", "c", "x", strings.Repeat("ä", 2000))
	f.Fuzz(func(t *testing.T, topic, partition, offset, consumer, code, text string) {
		n := store.Notice{Topic: topic, Partition: partition, Offset: offset, Consumer: consumer, Code: code, Message: text, Timestamp: time.Unix(1, 0).UTC()}
		for name, value := range n.Headers() {
			require.True(t, strings.HasPrefix(name, "__dlq.errors."))
			require.NotEmpty(t, value)
			require.LessOrEqual(t, len(value), 1024)
			require.True(t, utf8.ValidString(value))
			for _, r := range value {
				require.True(t, unicode.IsPrint(r), "%q", value)
			}
		}
	})
}
