// Package driver is what every transport implements and what the rest of the platform sees of one: a Watermill publisher and,
// per consumer, a Watermill subscriber that hands out many keys at once and each key in order.
//
// It imports Watermill and config; no driver imports another, and nothing here links a broker's client.
package driver

import (
	"context"
	"errors"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/config"
)

// Metadata of a message that the transport itself reads. Everything else in the metadata travels as headers.
const (
	KeyMetadata   = "viscount_key"   // ordering key; the broker's own where it has one, never a header
	RoundMetadata = "viscount_round" // the relay's round, see store.Publisher; never leaves the process
	AgainMetadata = "viscount_again" // set when an earlier round left a consumer behind; never leaves the process
)

// ErrLeftBehind is Publish's answer when every consumer but some has taken the messages; those get them in a later round.
var ErrLeftBehind = errors.New("transport: a consumer takes no messages for now")

// Driver opens one kind of transport.
type Driver struct {
	Name         string
	Capabilities Capabilities
	Open         func(ctx context.Context, o Options) (Transport, error)
}

// Capabilities are what a transport can promise; a profile that needs more than it gets refuses to start.
type Capabilities struct {
	BetweenProcesses bool // consumers may run in other processes than their publishers
	Records          bool // topics keep recorded events for their retention; otherwise the outbox does
}

// Options are what a transport is opened with.
type Options struct {
	Config       config.Transport
	Consumers    map[string][]string // every consumer of this process and the topics that it hears
	KeysInFlight int                 // per consumer
	Logger       *slog.Logger
}

// Transport moves messages. Publisher and subscribers are shared: closing them is Close's business alone.
type Transport interface {
	// Publisher publishes messages of one topic; those of one call and key stay in order.
	Publisher() message.Publisher
	// Subscriber is the consumer's; all of its topics share the order of a key.
	Subscriber(consumer string) (message.Subscriber, error)
	// Drain ends the delivery of further messages and returns when those in flight have ended or ctx has.
	Drain(ctx context.Context) error
	// Close ends everything; what was not acknowledged comes again after the next start.
	Close() error
}
