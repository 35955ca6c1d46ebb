package router

import "github.com/ThreeDotsLabs/watermill/message"

// step is one middleware of the chain, by name.
type step struct {
	name string
	wrap message.HandlerMiddleware
}

// chain is what every message passes on its way to a handler, outermost first (design.md, "The middleware chain"). A parked
// event that is due passes the same chain; its acknowledgement is its row's new state.
func (s *Service) chain() []step {
	return []step{
		{"drain", s.drain},             // after Close began, nothing is begun
		{"recoverer", recoverer},       // a panic of ours is a refusal with a pause, never a crash
		{"poison", s.poison},           // what failed is parked or becomes a dead letter
		{"gate", s.gate},               // a paused consumer stores what arrives
		{"decode", s.decode},           // bytes to a validated contract
		{"correlation", s.correlate},   // ids for logs and for what is emitted
		{"tracing", s.trace},           // one span per delivery
		{"metrics", s.measure},         // outcome and latency
		{"retry", s.retry},             // immediate attempts
		{"timeout", s.timeout},         // each attempt has its own deadline
		{"recoverer", recoverer},       // a handler's panic is a failed attempt
		{"transaction", s.transaction}, // key lock, inbox, order; commits what the handler wrote
	}
}

// handler is the end of the chain: the typed handler of the route, inside the transaction.
func (s *Service) handler(msg *message.Message) ([]*message.Message, error) {
	d := deliveryOf(msg)
	if s.failpointAt != nil {
		if err := s.failpointAt("handler." + s.Name() + "." + d.event.Envelope.EventType); err != nil {
			return nil, err
		}
	}
	return nil, d.route.handle(msg.Context(), d.tx, d)
}

// compose wraps the handler with the chain, as Watermill's Router does for messages from a transport.
func (s *Service) compose() message.HandlerFunc {
	steps := s.chain()
	h := message.HandlerFunc(s.handler)
	for i := len(steps) - 1; i >= 0; i-- {
		h = steps[i].wrap(h)
	}
	return h
}
