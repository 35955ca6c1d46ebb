package googlecloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/pubsub"
	wmgooglecloud "github.com/ThreeDotsLabs/watermill-googlecloud/pkg/googlecloud"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/transports/driver"
)

const (
	publishTimeout = 10 * time.Second
	publishDelay   = time.Millisecond // the relay's publications come in groups of a key already

	// Limits of Pub/Sub (cloud.google.com/pubsub/quotas).
	maxAttributeName  = 256
	maxAttributeValue = 1024
	maxOrderingKey    = 1024
)

// Marshaler is the format of our messages, for programs that use watermill-googlecloud themselves.
type Marshaler struct{}

var _ wmgooglecloud.MarshalerUnmarshaler = Marshaler{}

// Marshal implements wmgooglecloud.Marshaler. Metadata that Pub/Sub would refuse stays at home: all of it can be derived from
// the event.
func (Marshaler) Marshal(_ string, msg *message.Message) (*pubsub.Message, error) {
	out := &pubsub.Message{Data: msg.Payload, Attributes: map[string]string{wmgooglecloud.UUIDHeaderKey: strings.ToValidUTF8(msg.UUID, "�")}, OrderingKey: msg.Metadata.Get(driver.KeyMetadata)}
	if len(out.OrderingKey) > maxOrderingKey {
		sum := sha256.Sum256([]byte(out.OrderingKey))
		out.OrderingKey = hex.EncodeToString(sum[:])
	}
	for name, value := range msg.Metadata {
		reserved := strings.HasPrefix(strings.ToLower(name), "goog")
		if driver.Travels(name) && value != "" && !reserved && len(name) <= maxAttributeName && len(value) <= maxAttributeValue {
			out.Attributes[name] = strings.ToValidUTF8(value, "�")
		}
	}
	return out, nil
}

// Unmarshal implements wmgooglecloud.Unmarshaler. It never fails; a message of a foreign producer may have no attributes.
func (Marshaler) Unmarshal(in *pubsub.Message) (*message.Message, error) {
	metadata := make(message.Metadata, len(in.Attributes)+1)
	uuid := in.ID
	for name, value := range in.Attributes {
		switch {
		case name == wmgooglecloud.UUIDHeaderKey:
			uuid = value
		case driver.Travels(name):
			metadata[name] = value
		}
	}
	if in.OrderingKey != "" {
		metadata[driver.KeyMetadata] = in.OrderingKey
	}
	msg := message.NewMessage(uuid, in.Data)
	msg.Metadata = metadata
	return msg, nil
}

type publisher struct {
	client *pubsub.Client

	mu     sync.Mutex
	topics map[string]*pubsub.Topic
}

func newPublisher(client *pubsub.Client) *publisher {
	return &publisher{client: client, topics: map[string]*pubsub.Topic{}}
}

func (p *publisher) topic(name string) *pubsub.Topic {
	p.mu.Lock()
	defer p.mu.Unlock()
	topic := p.topics[name]
	if topic == nil {
		topic = p.client.Topic(name)
		topic.EnableMessageOrdering = true
		topic.PublishSettings.DelayThreshold = publishDelay
		topic.PublishSettings.Timeout = publishTimeout
		p.topics[name] = topic
	}
	return topic
}

// Close does nothing: the transport is closed as a whole. Watermill closes publishers that it shares.
func (*publisher) Close() error { return nil }

// Publish returns when Pub/Sub has all messages, or the first error: then some may be there.
func (p *publisher) Publish(name string, messages ...*message.Message) error {
	topic := p.topic(name)
	ctx, cancel := context.WithTimeout(context.Background(), publishTimeout+time.Second)
	defer cancel()
	results, keys := make([]*pubsub.PublishResult, len(messages)), make([]string, len(messages))
	for i, msg := range messages {
		out, err := Marshaler{}.Marshal(name, msg)
		if err != nil {
			return err
		}
		keys[i], results[i] = out.OrderingKey, topic.Publish(ctx, out)
	}
	var failed error
	for i, result := range results {
		if _, err := result.Get(ctx); err != nil {
			failed = errors.Join(failed, err)
			topic.ResumePublish(keys[i]) // after a failure the client holds the key until it is told
		}
	}
	if failed != nil {
		return fmt.Errorf("googlecloud: publishing to %s: %w", name, failed)
	}
	return nil
}

func (p *publisher) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, topic := range p.topics {
		topic.Stop()
	}
}
