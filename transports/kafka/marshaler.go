package kafka

import (
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	wmkafka "github.com/ThreeDotsLabs/watermill-kafka/v3/pkg/kafka"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/first-viscount/viscount/transports/driver"
)

var _ wmkafka.MarshalerUnmarshaler = Marshaler{}

// Marshaler is the format of our records, for programs that use watermill-kafka themselves: the ordering key is the record's
// key, the metadata its headers, Watermill's message UUID the header _watermill_message_uuid, and the value the event byte for
// byte (domain.md, "Beside the envelope").
//
// Unmarshal never fails: watermill-kafka would start its session anew for ever. What is wrong with a record is found when the
// event is decoded.
type Marshaler struct{}

// Marshal implements wmkafka.Marshaler.
func (Marshaler) Marshal(topic string, msg *message.Message) (*sarama.ProducerMessage, error) {
	r := recordOf(topic, msg)
	out := &sarama.ProducerMessage{Topic: topic, Value: sarama.ByteEncoder(r.Value)}
	if len(r.Key) > 0 {
		out.Key = sarama.ByteEncoder(r.Key)
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	return out, nil
}

// Unmarshal implements wmkafka.Unmarshaler.
func (Marshaler) Unmarshal(in *sarama.ConsumerMessage) (*message.Message, error) {
	r := &kgo.Record{Topic: in.Topic, Partition: in.Partition, Offset: in.Offset, Key: in.Key, Value: in.Value}
	for _, h := range in.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
	}
	return messageOf(r), nil
}

func recordOf(topic string, msg *message.Message) *kgo.Record {
	r := &kgo.Record{Topic: topic, Value: msg.Payload, Headers: make([]kgo.RecordHeader, 0, len(msg.Metadata)+1)}
	if key := msg.Metadata.Get(driver.KeyMetadata); key != "" {
		r.Key = []byte(key)
	}
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: wmkafka.UUIDHeaderKey, Value: []byte(msg.UUID)})
	for name, value := range msg.Metadata {
		if driver.Travels(name) {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: name, Value: []byte(value)})
		}
	}
	return r
}

// messageOf reads a record; one of a foreign producer may have neither key nor headers. The texts share one copy.
func messageOf(r *kgo.Record) *message.Message {
	size := len(r.Key)
	for _, h := range r.Headers {
		size += len(h.Value)
	}
	texts := textsOf(size)
	metadata := make(message.Metadata, len(r.Headers)+3)
	uuid := ""
	for _, h := range r.Headers {
		switch {
		case h.Key == wmkafka.UUIDHeaderKey:
			uuid = texts.add(h.Value)
		case driver.Travels(h.Key):
			metadata[h.Key] = texts.add(h.Value)
		}
	}
	metadata[driver.PartitionMetadata] = strconv.FormatInt(int64(r.Partition), 10)
	metadata[driver.OffsetMetadata] = strconv.FormatInt(r.Offset, 10)
	if len(r.Key) > 0 {
		metadata[driver.KeyMetadata] = texts.add(r.Key)
	}
	if uuid == "" {
		uuid = r.Topic + "/" + metadata[driver.PartitionMetadata] + "/" + metadata[driver.OffsetMetadata]
	}
	msg := message.NewMessage(uuid, r.Value)
	msg.Metadata = metadata
	return msg
}

// texts makes strings that share one allocation.
type texts struct{ strings.Builder }

func textsOf(size int) *texts {
	t := &texts{}
	t.Grow(size)
	return t
}

func (t *texts) add(text []byte) string {
	at := t.Len()
	t.Write(text)
	return t.String()[at:]
}
