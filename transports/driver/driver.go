// Package driver is what every transport implements and what the rest of the platform sees of one: a Watermill publisher and,
// per consumer, a Watermill subscriber that hands out many keys at once and each key in order.
//
// It imports Watermill and config; no driver imports another, and nothing here links a broker's client.
package driver

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/config"
)

// Metadata of a message that is the transport's and the process's own; see Travels.
const (
	KeyMetadata       = "viscount_key"       // ordering key; the broker's own where it has one
	RoundMetadata     = "viscount_round"     // the relay's round, see store.Publisher
	AgainMetadata     = "viscount_again"     // set when an earlier round left a consumer behind
	PartitionMetadata = "viscount_partition" // where a consumed message stood, on transports that number their messages
	OffsetMetadata    = "viscount_offset"
)

// Travels tells whether metadata of this name goes along as a header.
func Travels(name string) bool { return !strings.HasPrefix(name, "viscount_") }

// AnswerTimeout is how long opening a transport waits for a server that says nothing.
const AnswerTimeout = 6 * time.Second

// ErrLeftBehind is Publish's answer when every consumer but some has taken the messages; those get them in a later round.
var ErrLeftBehind = errors.New("transport: a consumer takes no messages for now")

// Driver opens one kind of transport.
type Driver struct {
	Name         string
	Capabilities Capabilities
	Open         func(ctx context.Context, o Options) (Transport, error)
	Admin        func(ctx context.Context, o Options) (Admin, error) // nil: there is nothing to administer
}

// Capabilities are what a transport promises. A configuration that needs more is refused before the transport is opened.
type Capabilities struct {
	BetweenProcesses bool // consumers may run in other processes than their publishers
	Records          bool // topics keep recorded events for their retention; otherwise the outbox does
}

// Options are what a transport is opened with.
type Options struct {
	Config       config.Transport
	Consumers    map[string][]string // every consumer of this process and the topics that it hears
	Audience     map[string][]string // the same of the whole platform, other processes included; Consumers if nil
	Topics       []Topic             // what this process publishes to or hears
	KeysInFlight int                 // per consumer
	Logger       *slog.Logger

	// Redeliver is the pause before a message that was refused n times comes again; the engine's own, up to 5 s, if nil.
	Redeliver func(refusals int) time.Duration
}

// Topic is how a topic should be.
type Topic struct {
	Name      string
	Retention time.Duration // how long it keeps recorded events; 0: for ever
}

// Hearers are the consumers of the platform that hear a topic, by the names that they have outside.
func (o Options) Hearers(topic string) []string {
	audience := o.Audience
	if audience == nil {
		audience = o.Consumers
	}
	hearers := []string{}
	for consumer, topics := range audience {
		if slices.Contains(topics, topic) {
			hearers = append(hearers, o.ConsumerName(consumer))
		}
	}
	slices.Sort(hearers)
	return hearers
}

// ConsumerName is what a consumer is called outside: a Kafka group, the suffix of a subscription (interfaces.md, "Names
// outside").
func (o Options) ConsumerName(consumer string) string {
	return o.Config.ConsumerPrefix + "-" + consumer
}

// Transport moves messages. Publisher and subscribers are shared: closing them is Close's business alone.
type Transport interface {
	// Publisher publishes messages of one topic; those of one call and key stay in order.
	Publisher() message.Publisher
	// Subscriber is the consumer's; all of its topics share the order of a key.
	Subscriber(consumer string) (message.Subscriber, error)
	// Standing tells how the transport is doing; an error says that its server does not answer.
	Standing(ctx context.Context) (Standing, error)
	// Drain ends the delivery of further messages and returns when those in flight have ended or ctx has.
	Drain(ctx context.Context) error
	// Close ends everything; what was not acknowledged comes again after the next start.
	Close() error
}

// Standing is what an operator wants to know of a transport.
type Standing struct {
	Lag      []Lag    // by consumer and topic, as far as this process knows it
	Degraded []string // what is not as it should be, a sentence each
}

// Lag is how far a consumer is behind what was published to a topic.
type Lag struct {
	Consumer, Topic string
	Events          int64
	Oldest          time.Duration   // age of the oldest of them
	Partitions      map[int32]int64 // the events again, by those of the topic's partitions that are read here; nil if it has none
}
