package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// passing is how long what passes by itself may last: a broker restarts, a member that was given up joins again. Tests change it.
var passing = 10 * time.Second

// trouble is an error that keeps a consumer from reading.
type trouble struct {
	err         error
	since, last time.Time
}

// meet notes an error and tells whether it says something new.
func (t *trouble) meet(err error) bool {
	known := t.err != nil && t.err.Error() == err.Error()
	t.err, t.last = err, time.Now()
	if t.since.IsZero() {
		t.since = t.last
	}
	return !known
}

// counts tells whether a person should hear of it: of a refusal at once, since only a person ends it, of anything else when it
// has lasted.
func (t *trouble) counts() bool {
	return t.err != nil && (refusal(t.err) || time.Since(t.since) >= passing)
}

// stale tells that it was not met for a while. What lasts is met again by every fetch, while partitions without records give
// no sign that they can be read again.
func (t *trouble) stale() bool { return time.Since(t.last) > passing }

func refusal(err error) bool {
	return errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.TopicAuthorizationFailed)
}

// OnGroupManageError implements kgo.HookGroupManageError. A poll gives these errors too, but maybe after the assignment that
// ends them.
func (c *consumer) OnGroupManageError(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joining.meet(err) {
		c.log.Warn("being a member of the group; trying again", "group", c.group, "error", err)
	}
}

// complain notes what a broker would not give; the client tries again by itself.
func (c *consumer) complain(ctx context.Context, fetches kgo.Fetches) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fetches.EachError(func(topic string, number int32, err error) {
		var joining *kgo.ErrGroupSession
		if errors.Is(err, kgo.ErrClientClosed) || errors.As(err, &joining) {
			return
		}
		if c.meet(topic, err) {
			c.log.WarnContext(ctx, "fetching from Kafka; trying again", "topic", topic, "partition", number, "error", err)
		}
	})
}

// meet notes an error of a topic and tells whether it says something new. The lock is held.
func (c *consumer) meet(topic string, err error) bool {
	t := c.reading[topic]
	if t == nil || t.stale() {
		t = &trouble{}
		c.reading[topic] = t
	}
	return t.meet(err)
}

// ends is where the topics end. Those that this user may not ask about are left out, and noted: a broker that refuses is there.
func (c *consumer) ends(ctx context.Context, admin *kadm.Client) (kadm.ListedOffsets, error) {
	all, err := endsOf(ctx, admin, c.Topics()...)
	if !refusal(err) {
		return all, err
	}
	all = kadm.ListedOffsets{} // a refusal speaks for all that was asked
	for _, topic := range c.Topics() {
		one, err := endsOf(ctx, admin, topic)
		if refusal(err) {
			c.mu.Lock()
			c.meet(topic, err)
			c.mu.Unlock()
		} else if err != nil {
			return nil, err
		}
		maps.Copy(all, one)
	}
	return all, nil
}

func endsOf(ctx context.Context, admin *kadm.Client, topics ...string) (kadm.ListedOffsets, error) {
	ends, err := admin.ListEndOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, err
	}
	return ends, nil
}

// hindered tells what keeps this consumer from reading.
func (c *consumer) hindered() (told []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := &c.joining; t.counts() {
		told = append(told, fmt.Sprintf("%s reads no events since %s, as a member of the group %s: %s",
			c.Name, t.since.Format(time.RFC3339), c.group, explained(t.err, "the group "+c.group)))
	}
	for _, topic := range slices.Sorted(maps.Keys(c.reading)) {
		if t := c.reading[topic]; t.counts() && !t.stale() {
			what := cmp.Or(topic, "its topics")
			told = append(told, fmt.Sprintf("%s does not read %s since %s, as a member of the group %s: %s",
				c.Name, what, t.since.Format(time.RFC3339), c.group, explained(t.err, what)))
		}
	}
	return told
}

func explained(err error, resource string) string {
	text := strings.TrimSuffix(err.Error(), ".")
	if refusal(err) {
		text += "; allow the user of transport.kafka to READ " + resource
	}
	return text
}
