package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"
)

// publishTimeout is how long a publication may go unanswered before its messages are tried anew. One that a broker may have
// stored is not given up: the client finds out first, so that nothing is stored twice.
const publishTimeout = 10 * time.Second

// producerOptions lose and reorder nothing: an idempotent producer, acknowledged by all replicas in sync. Keys choose their
// partition by murmur2, like those of Java's and, when asked, Python's clients.
func producerOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
		kgo.RecordDeliveryTimeout(publishTimeout),
		kgo.UnknownTopicRetries(2),
		kgo.ProducerLinger(0), // what comes while a request is under way makes the next batch
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	}
}

type publisher struct{ client *kgo.Client }

// Close does nothing: the transport is closed as a whole. Watermill closes publishers that it shares.
func (publisher) Close() error { return nil }

// Publish returns when all messages are stored by all replicas in sync, or the first error: then some may be stored.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	errs := make([]error, len(messages))
	var wg sync.WaitGroup
	wg.Add(len(messages))
	for i, msg := range messages {
		p.client.Produce(context.Background(), recordOf(topic, msg), func(_ *kgo.Record, err error) {
			errs[i] = err
			wg.Done()
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("kafka: publishing to %s: %w", topic, errors.Join(distinct(errs)...))
	}
	return nil
}

// distinct leaves out errors that say the same.
func distinct(errs []error) []error {
	var out []error
	seen := map[string]bool{}
	for _, err := range errs {
		if err != nil && !seen[err.Error()] {
			seen[err.Error()] = true
			out = append(out, err)
		}
	}
	return out
}
