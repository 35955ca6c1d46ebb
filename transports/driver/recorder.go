package driver

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Recorder is what a Transport is too whose topics keep recorded events (Capabilities.Records): they are read again, beside its
// consumers and without moving any of them. A topic that is not there holds nothing.
type Recorder interface {
	// Count is about how many messages the topics hold.
	Count(ctx context.Context, topics []string) (int64, error)
	// Ends is how far the topics go now.
	Ends(ctx context.Context, topics []string) (Positions, error)
	// Read gives what the topics hold after the positions, from each place at most so many messages, in order. What was
	// published before the call is in it, unless more says that some place holds more. What the topics no longer keep is
	// passed over.
	Read(ctx context.Context, topics []string, after Positions, each int) (page []Recorded, more bool, err error)
}

// Positions are the last offsets read, by place; a place that is missing is read from its beginning.
type Positions = map[string]int64

// Recorded is a message as its topic keeps it.
type Recorded struct {
	Topic  string
	Place  string // see Place; those of a topic and key share one
	Offset int64
	At     time.Time // when the transport took it
	*message.Message
}

// Place names a part of a topic whose messages are in order: briefly, because positions go to clients and come back.
func Place(topic string, part int32) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strings.ToLower(topic))) // a hash never fails
	return fmt.Sprintf("%08x/%d", h.Sum32(), part)
}
