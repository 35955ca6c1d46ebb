package router

import (
	"context"
	"fmt"
	"io/fs"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Policy is what a failed event does to the later events of its key.
type Policy string

// Hold keeps later events of the key waiting behind a failed one; Release lets them pass.
const (
	Hold    Policy = "hold"
	Release Policy = "release"
)

// Consumer is one service as it hears events: its name is the service's, the database file's and the consumer group's.
type Consumer struct {
	Name       string
	Source     string              // source_service of what it emits; Name + "-service" if empty
	Migrations fs.FS               // its own tables, beside the store's; nil if it has none
	Contracts  []events.Definition // events that the platform's catalogue does not have
	OnFailure  Policy              // Settings.OnFailure if empty
	Routes     []Route
	Jobs       []Job
	Rebuild    Rebuild // what of its tables can be filled again from recorded events
	// Erase removes a customer's personal data from the service's own tables; nil where they hold none. It may run again.
	Erase func(ctx context.Context, tx *store.Tx, customerID string) error
}

// Part is a Route, a Job or a Rebuild.
type Part interface{ join(c *Consumer) }

func (r Route) join(c *Consumer) { c.Routes = append(c.Routes, r) }
func (j Job) join(c *Consumer)   { c.Jobs = append(c.Jobs, j) }

func (r Rebuild) join(c *Consumer) { c.Rebuild = r }

// Assemble makes a consumer from routes and jobs in any order.
func Assemble(name string, migrations fs.FS, parts ...Part) Consumer {
	c := Consumer{Name: name, Migrations: migrations}
	for _, part := range parts {
		part.join(&c)
	}
	return c
}

// SourceService is the source_service of the consumer's own events.
func (c Consumer) SourceService() string {
	if c.Source != "" {
		return c.Source
	}
	return c.Name + "-service"
}

// Topics are the topics that the consumer hears.
func (c Consumer) Topics() []string {
	topics := make([]string, len(c.Routes))
	for i, route := range c.Routes {
		topics[i] = route.Contract.Topic()
	}
	return topics
}

// Route is one subscription: a contract and the handler of its events.
type Route struct {
	Contract events.Contract
	Handler  string // the handler's name, for people
	Sample   events.Payload
	handle   func(ctx context.Context, tx *store.Tx, d *delivery) error
	metrics  *routeMetrics // of the service that has the route
}

// On subscribes a handler to the event type of its argument. The handler decides and writes through tx; what it returns
// decides what becomes of the event (store.Ignore, store.Permanent, store.RetryAfter, or any error for another attempt).
func On[P events.Payload](handler func(ctx context.Context, tx *store.Tx, e events.Event[P]) error) Route {
	var sample P
	return Route{
		Contract: sample.Contract(), Handler: nameOf(handler), Sample: sample,
		handle: func(ctx context.Context, tx *store.Tx, d *delivery) error {
			e, err := events.As[P](d.event, d.sequence, d.causation)
			if err != nil {
				return store.Permanent(err)
			}
			return handler(ctx, tx, e)
		},
	}
}

// Upcasting adds the routes of earlier major versions, whose events reach the same handlers, upgraded.
func Upcasting(c *events.Catalogue, routes []Route) []Route {
	all := slices.Clone(routes)
	for _, route := range routes {
		for _, earlier := range c.Earlier(route.Contract) {
			if slices.ContainsFunc(routes, func(r Route) bool { return r.Contract.Topic() == earlier.Topic() }) {
				continue // it has a handler of its own
			}
			older := route
			older.Contract = earlier
			all = append(all, older)
		}
	}
	return all
}

// Job is a kind of job and what runs it.
type Job struct {
	Kind    string
	Handler string
	outside func(ctx context.Context, payload []byte) (any, error) // nil for a job that only writes
	inside  func(ctx context.Context, tx *store.Tx, payload []byte, result any) error
	mask    func(payload []byte) (masked []byte, paths []string, err error)
}

// Do runs a job inside one transaction.
func Do[P any](kind string, run func(ctx context.Context, tx *store.Tx, payload P) error) Job {
	return Job{Kind: kind, Handler: nameOf(run), mask: events.MaskAs[P], inside: func(ctx context.Context, tx *store.Tx, raw []byte, _ any) error {
		payload, err := unpack[P](raw)
		if err != nil {
			return err
		}
		return run(ctx, tx, payload)
	}}
}

// Call runs a job that touches the world: outside asks it without a transaction, at least once, so that it needs a stable
// idempotency key in its payload; inside records the answer in one.
func Call[P, R any](kind string, outside func(ctx context.Context, payload P) (R, error), inside func(ctx context.Context, tx *store.Tx, payload P, result R) error) Job {
	return Job{
		Kind: kind, Handler: nameOf(outside), mask: events.MaskAs[P],
		outside: func(ctx context.Context, raw []byte) (any, error) {
			payload, err := unpack[P](raw)
			if err != nil {
				return nil, err
			}
			return outside(ctx, payload)
		},
		inside: func(ctx context.Context, tx *store.Tx, raw []byte, result any) error {
			payload, err := unpack[P](raw)
			if err != nil {
				return err
			}
			return inside(ctx, tx, payload, result.(R))
		},
	}
}

func unpack[P any](raw []byte) (payload P, err error) {
	if err := json.Unmarshal(raw, &payload); err != nil {
		return payload, store.Permanent(fmt.Errorf("reading the job's payload: %w", err))
	}
	return payload, nil
}

// nameOf reads a function's name as people write it: inventory.ReserveOrder.
func nameOf(f any) string {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	name = name[strings.LastIndexByte(name, '/')+1:]
	name = strings.TrimSuffix(name, "-fm")
	return strings.NewReplacer("(*Service).", "", "Service.", "").Replace(name)
}

// Settings steer attempts and recovery. The zero value of a field takes its default.
type Settings struct {
	AttemptTimeout   time.Duration   // of one attempt, 30 s
	ImmediateRetries int             // after the first attempt, within the delivery; none if 0
	DelayedRetries   []time.Duration // then these, each freeing the worker; none if empty
	OnFailure        Policy          // Hold
	FollowsTimeout   time.Duration   // how long an event waits for its predecessor, 10 min
	WaitingLimit     int             // events parked per consumer before intake stops, 100,000
	Suspects         int             // events that a process may have in hand when it ends, 512
}

func (s Settings) withDefaults() Settings {
	if s.AttemptTimeout == 0 {
		s.AttemptTimeout = 30 * time.Second
	}
	if s.OnFailure == "" {
		s.OnFailure = Hold
	}
	if s.FollowsTimeout == 0 {
		s.FollowsTimeout = 10 * time.Minute
	}
	if s.WaitingLimit == 0 {
		s.WaitingLimit = 100_000
	}
	if s.Suspects == 0 {
		s.Suspects = 512
	}
	return s
}
