package googlecloud

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"cloud.google.com/go/pubsub"
	wmgooglecloud "github.com/ThreeDotsLabs/watermill-googlecloud/pkg/googlecloud"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/transports/driver"
)

const (
	publishTimeout = 10 * time.Second // of a request
	publishDelay   = time.Millisecond // a call has its messages ready

	// Limits of Pub/Sub (cloud.google.com/pubsub/quotas).
	maxAttributeName  = 256
	maxAttributeValue = 1024
	maxOrderingKey    = 1024
)

// Marshaler is the format of our messages, for programs that use watermill-googlecloud themselves.
type Marshaler struct{}

var _ wmgooglecloud.MarshalerUnmarshaler = Marshaler{}

// Marshal implements wmgooglecloud.Marshaler.
func (Marshaler) Marshal(_ string, msg *message.Message) (*pubsub.Message, error) {
	return marshal(msg), nil
}

// marshal leaves metadata that Pub/Sub would refuse at home: all of it can be derived from the event.
func marshal(msg *message.Message) *pubsub.Message {
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
	return out
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

// publisher gives each call a handle of its own. After a failure the client holds a key back until it is told to go on; on a
// handle that calls share, one's telling would let through what others have queued behind their own failures.
type publisher struct {
	client *pubsub.Client
	life   context.Context // the transport's
}

// Close does nothing: the transport is closed as a whole. Watermill closes publishers that it shares.
func (publisher) Close() error { return nil }

// Publish returns when Pub/Sub has all messages, or the first error: then some may be there, of each key the first ones. Either
// way nothing is on its way any more, unless the transport was closed meanwhile.
func (p publisher) Publish(name string, messages ...*message.Message) error {
	topic := p.client.Topic(name)
	topic.EnableMessageOrdering = true
	topic.PublishSettings.DelayThreshold = publishDelay
	topic.PublishSettings.Timeout = publishTimeout
	results := make([]*pubsub.PublishResult, len(messages))
	for i, msg := range messages {
		results[i] = topic.Publish(p.life, marshal(msg))
	}
	var failed error
	for _, result := range results {
		if _, err := result.Get(p.life); failed == nil {
			failed = err
		}
	}
	if failed != nil {
		return fmt.Errorf("googlecloud: publishing to %s: %w", name, failed)
	}
	return nil
}
