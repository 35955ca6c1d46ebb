package router

import (
	"context"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// delivery is what the steps of the chain know about one message.
type delivery struct {
	topic  string
	route  *Route
	parked *store.Parked // the row of a parked event that re-enters; nil for an arrival

	event     *events.Decoded
	sequence  int64
	causation string
	foreign   *store.Foreign

	paused   bool
	broken   bool   // the circuit is open
	probe    bool   // it tries whether the circuit can close
	subject  string // under which it runs alone, "" if it does not
	attempts int    // failed attempts so far, those before this delivery included
	outcome  string // how it ended, for metrics; "" if it has not
	reason   string
	tx       *store.Tx // inside the transaction
}

type deliveryKey struct{}

func deliveryOf(msg *message.Message) *delivery {
	d, _ := msg.Context().Value(deliveryKey{}).(*delivery)
	return d
}

// deliveryContext is a context with a delivery. Its type tells it, without a walk through the contexts: the chain takes a message
// for an arrival unless its outermost context is one.
type deliveryContext struct {
	context.Context
	d *delivery
}

// Value implements context.Context.
func (c *deliveryContext) Value(key any) any {
	if key == (deliveryKey{}) {
		return c.d
	}
	return c.Context.Value(key)
}

func withDelivery(ctx context.Context, d *delivery) context.Context { return &deliveryContext{ctx, d} }

// newDelivery reads a message's metadata. A sequence that is no number counts as none: metadata never refuses a message.
func (s *Service) newDelivery(topic string, msg *message.Message, parked *store.Parked) *delivery {
	d := &delivery{topic: topic, route: s.routes[topic], parked: parked, causation: storable(msg.Metadata.Get(MetaCausationID))}
	if n, err := strconv.ParseInt(msg.Metadata.Get(MetaSequence), 10, 64); err == nil && n > 0 {
		d.sequence = n
	}
	if parked != nil {
		d.attempts = parked.Attempts
	}
	return d
}

func (d *delivery) key() string {
	switch {
	case d.event != nil:
		return d.event.Key
	case d.parked != nil:
		return d.parked.Key
	}
	return ""
}

// self is the parked row's id, 0 for an arrival.
func (d *delivery) self() int64 {
	if d.parked == nil {
		return 0
	}
	return d.parked.ID
}
