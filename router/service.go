package router

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/first-viscount/viscount/store"
)

// Options are what a Service needs beside its consumer and database.
type Options struct {
	Settings Settings
	Logger   *slog.Logger         // slog.Default if nil
	Metrics  *Metrics             // unregistered ones if nil
	Tracers  trace.TracerProvider // no tracing if nil

	Failpoint func(name string) error // fault injection for tests; nil in production
	Alone     *sync.RWMutex           // shared by the services of a process, see suspicion; one of its own if nil

	// Untransacted is for benchmarks of everything around the transaction, never for events that matter: handlers run with a nil
	// Tx, and without the inbox (a duplicate is handled again), the lock of the key, and the wait for predecessors and pauses.
	// Only what failed is recorded.
	Untransacted bool

	filling bool // a projection is filled again
}

// Service is one consumer at work: its chain, the recovery of its parked events and its jobs.
type Service struct {
	consumer    Consumer
	store       *store.Store
	settings    Settings
	policy      Policy
	log         *slog.Logger
	metrics     *Metrics
	tracer      trace.Tracer
	traced      bool                      // the tracer does something
	transaction message.HandlerMiddleware // transact, unless a benchmark does without

	routes        map[string]*Route   // by topic
	follows       map[string][]string // by topic: predecessor types that this consumer hears too
	isPredecessor map[string]bool     // by topic
	jobs          map[string]Job      // by kind
	handle        message.HandlerFunc // the composed chain, for parked events

	inFlight atomic.Int64
	draining atomic.Bool
	paused   atomic.Pointer[string] // why and by whom; nil if it is not
	pauseMu  sync.RWMutex           // so that no older reading undoes a change, and no job is taken behind a pause
	filling  atomic.Bool            // from recorded events: a missing predecessor is not waited for

	resumed  chan struct{} // tells the jobs that a pause has ended
	stopping chan struct{} // closed when the process begins to stop
	stopOnce sync.Once

	circuit     circuit
	suspicion   suspicion
	failpointAt func(string) error
	rebuilds    chan rebuildRequest

	refusalLogged atomic.Int64 // when, in nanoseconds

	wakeMu   sync.Mutex
	wakeKeys map[string]bool
	wakeAll  bool
	wake     chan struct{}
}

const pausedSetting = "paused"

// NewService prepares a consumer on its database.
func NewService(ctx context.Context, c Consumer, st *store.Store, o Options) (*Service, error) {
	s := &Service{
		consumer: c, store: st, settings: o.Settings.withDefaults(), log: o.Logger, metrics: o.Metrics,
		routes: map[string]*Route{}, follows: map[string][]string{}, isPredecessor: map[string]bool{}, jobs: map[string]Job{},
		wakeKeys: map[string]bool{}, wake: make(chan struct{}, 1), resumed: make(chan struct{}, 1), stopping: make(chan struct{}), failpointAt: o.Failpoint,
		rebuilds: make(chan rebuildRequest),
	}
	s.suspicion = suspicion{alone: o.Alone, limit: s.settings.Suspects}
	if o.Alone == nil {
		s.suspicion.alone = new(sync.RWMutex)
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.log = s.log.With("service", c.Name)
	if s.metrics == nil {
		s.metrics = NewMetrics(nil)
	}
	if o.Tracers == nil {
		o.Tracers = noop.NewTracerProvider()
	}
	s.transaction = s.transact
	if o.Untransacted {
		s.transaction = s.untransacted
	}
	_, off := o.Tracers.(noop.TracerProvider)
	s.traced = !off
	s.tracer = o.Tracers.Tracer("github.com/first-viscount/viscount/router")
	s.policy = c.OnFailure
	if s.policy == "" {
		s.policy = s.settings.OnFailure
	}
	if err := s.index(); err != nil {
		return nil, err
	}
	s.filling.Store(o.filling)
	s.handle = s.compose()
	return s, s.readPaused(ctx)
}

// readPaused learns what an operator has set, here or at another instance.
func (s *Service) readPaused(ctx context.Context) error {
	s.pauseMu.Lock()
	defer s.pauseMu.Unlock()
	return s.store.View(ctx, func(ctx context.Context, r store.Reader) error {
		value, err := store.Setting(ctx, r, pausedSetting)
		if err == nil {
			s.notePaused(value)
		}
		return err
	})
}

// notePaused takes the setting over; what a pause kept goes on when it ends.
func (s *Service) notePaused(value string) {
	var why *string
	if value != "" {
		why = &value
	}
	if before := s.paused.Swap(why); before != nil && why == nil {
		s.wakeEverything()
		select {
		case s.resumed <- struct{}{}:
		default:
		}
	}
}

// index looks the routes up by topic and finds which predecessors this consumer hears.
func (s *Service) index() error {
	heard := map[string][]string{} // type → topics, one per major version
	s.consumer.Routes = Upcasting(s.store.Catalogue(), s.consumer.Routes)
	for i := range s.consumer.Routes {
		route := &s.consumer.Routes[i]
		topic := route.Contract.Topic()
		if s.routes[topic] != nil {
			return fmt.Errorf("consumer %s subscribes to %s twice (%s and %s)", s.consumer.Name, route.Contract.Type, s.routes[topic].Handler, route.Handler)
		}
		if _, known := s.store.Catalogue().ByTopic(topic); !known {
			return fmt.Errorf("consumer %s subscribes to %s, which is not in the catalogue: add its definition to it", s.consumer.Name, route.Contract.Type)
		}
		route.metrics = &routeMetrics{}
		s.routes[topic] = route
		heard[route.Contract.Type] = append(heard[route.Contract.Type], topic)
	}
	for topic, route := range s.routes {
		for _, predecessor := range route.Contract.Follows {
			if len(heard[predecessor]) > 0 {
				s.follows[topic] = append(s.follows[topic], predecessor)
			}
			for _, at := range heard[predecessor] {
				s.isPredecessor[at] = true
			}
		}
	}
	for _, job := range s.consumer.Jobs {
		if _, twice := s.jobs[job.Kind]; twice {
			return fmt.Errorf("consumer %s has two jobs named %q", s.consumer.Name, job.Kind)
		}
		s.jobs[job.Kind] = job
	}
	return nil
}

// Name is the consumer's name.
func (s *Service) Name() string { return s.consumer.Name }

// Consumer is what the service was made from.
func (s *Service) Consumer() Consumer { return s.consumer }

// Store is the service's database.
func (s *Service) Store() *store.Store { return s.store }

// Paused tells whether an operator paused the consumer.
func (s *Service) Paused() bool { return s.paused.Load() != nil }

// WhyPaused tells why the consumer is paused and by whom, as in "maintenance by ada"; "" if it is not.
func (s *Service) WhyPaused() string {
	if why := s.paused.Load(); why != nil {
		return *why
	}
	return ""
}

// InFlight is how many messages are in the chain.
func (s *Service) InFlight() int64 { return s.inFlight.Load() }

// Pause stores arrivals as waiting and starts no jobs until Resume; it outlives a restart and is audited.
func (s *Service) Pause(ctx context.Context, actor, reason string) error {
	return s.setPaused(ctx, "pause", actor, reason, reason+" by "+actor)
}

// Resume sends on what waited for it.
func (s *Service) Resume(ctx context.Context, actor, reason string) error {
	return s.setPaused(ctx, "resume", actor, reason, "")
}

func (s *Service) setPaused(ctx context.Context, action, actor, reason, value string) error {
	s.pauseMu.Lock()
	defer s.pauseMu.Unlock()
	err := s.store.Do(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Set(ctx, pausedSetting, value); err != nil {
			return err
		}
		return tx.Audit(ctx, actor, action, s.Name(), reason)
	})
	if err == nil {
		s.notePaused(value)
	}
	return err
}

// Topics are the topics that the consumer hears, sorted.
func (s *Service) Topics() []string {
	topics := s.consumer.Topics()
	slices.Sort(topics)
	return topics
}

// Deliver runs one message of a topic through the chain, outside of any transport, and returns when its outcome is durable.
func (s *Service) Deliver(ctx context.Context, topic string, msg *message.Message) error {
	msg.SetContext(withDelivery(ctx, s.newDelivery(topic, msg, nil)))
	_, err := s.handle(msg)
	return err
}

// stop tells what waits for better times that there will be none.
func (s *Service) stop() { s.stopOnce.Do(func() { close(s.stopping) }) }

func (s *Service) failpoint(name string) error {
	if s.failpointAt == nil {
		return nil
	}
	return s.failpointAt(name)
}
