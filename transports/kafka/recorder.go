package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/transports/driver"
)

var _ driver.Recorder = (*Transport)(nil)

const (
	pagedPartition = 256 << 10        // how much of a partition one answer of a broker brings
	pageTimeout    = 30 * time.Second // a page without an end is given up: somebody may hold a lock meanwhile
)

// Count implements driver.Recorder.
func (t *Transport) Count(ctx context.Context, topics []string) (total int64, err error) {
	starts, ends, err := t.bounds(ctx, topics)
	ends.Each(func(end kadm.ListedOffset) {
		if start, known := starts.Lookup(end.Topic, end.Partition); known {
			total += end.Offset - start.Offset
		}
	})
	return total, err
}

// Ends implements driver.Recorder.
func (t *Transport) Ends(ctx context.Context, topics []string) (driver.Positions, error) {
	at := driver.Positions{}
	_, ends, err := t.bounds(ctx, topics)
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset > 0 {
			at[driver.Place(end.Topic, end.Partition)] = end.Offset - 1
		}
	})
	return at, err
}

// bounds are the first offsets of the topics' partitions and those after their last.
func (t *Transport) bounds(ctx context.Context, topics []string) (starts, ends kadm.ListedOffsets, err error) {
	if starts, err = listed(t.admin.ListStartOffsets(ctx, topics...)); err == nil {
		ends, err = listed(t.admin.ListEndOffsets(ctx, topics...))
	}
	return starts, ends, err
}

// listed leaves out topics that are not there.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err != nil {
		return nil, fmt.Errorf("kafka: asking how far topics go: %w", err)
	}
	for topic, partitions := range offsets {
		for _, p := range partitions {
			if errors.Is(p.Err, kerr.UnknownTopicOrPartition) {
				delete(offsets, topic)
			} else if p.Err != nil {
				return nil, fmt.Errorf("kafka: asking how far %s goes: %w", topic, p.Err)
			}
		}
	}
	return offsets, nil
}

// unread is a partition that a page is still to be filled from.
type unread struct {
	next, end int64
	taken     int
}

// Read implements driver.Recorder. A client of its own reads the partitions: it belongs to no group.
func (t *Transport) Read(ctx context.Context, topics []string, after driver.Positions, each int) (page []driver.Recorded, more bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, pageTimeout, errNoAnswer)
	defer cancel()
	starts, ends, err := t.bounds(ctx, topics)
	if err != nil {
		return nil, false, err
	}
	left, from := map[place]*unread{}, map[string]map[int32]kgo.Offset{}
	ends.Each(func(end kadm.ListedOffset) {
		first, _ := starts.Lookup(end.Topic, end.Partition)
		next := first.Offset
		if last, known := after[driver.Place(end.Topic, end.Partition)]; known {
			next = max(next, last+1)
		}
		if next >= end.Offset {
			return
		}
		left[place{end.Topic, end.Partition}] = &unread{next: next, end: end.Offset}
		if from[end.Topic] == nil {
			from[end.Topic] = map[int32]kgo.Offset{}
		}
		from[end.Topic][end.Partition] = kgo.NewOffset().At(next)
	})
	if len(left) == 0 {
		return nil, false, nil
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.ConsumePartitions(from), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxPartitionBytes(pagedPartition), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.KeepControlRecords(), // they take up offsets, and may be the last
	}, t.options...)...)
	if err != nil {
		return nil, false, fmt.Errorf("kafka: reading recorded events: %w", err)
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, false, fmt.Errorf("kafka: reading recorded events: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			at := place{r.Topic, r.Partition}
			p := left[at]
			if p == nil {
				return
			}
			if r.Offset < p.end && !r.Attrs.IsControl() {
				page = append(page, recordedOf(r))
				p.taken++
			}
			if reached := r.Offset >= p.end-1; reached || p.taken == each {
				more = more || !reached
				delete(left, at)
				client.PauseFetchPartitions(map[string][]int32{r.Topic: {r.Partition}})
			}
		})
	}
	return page, more, nil
}

func recordedOf(r *kgo.Record) driver.Recorded {
	return driver.Recorded{Topic: r.Topic, Place: driver.Place(r.Topic, r.Partition), Offset: r.Offset, At: r.Timestamp, Message: messageOf(r)}
}
