package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
)

// Router runs services on Watermill's message.Router: one consumer handler per service and event type.
type Router struct {
	watermill *message.Router
	services  []*Service
	stop      context.CancelFunc // recovery, and taking jobs
	idle      chan struct{}      // closed when recovery has returned
	cut       context.CancelFunc // jobs in hand
	finished  chan struct{}      // closed when those have ended
}

// Subscriber gives the subscriber of a consumer, which keeps the order of a key over all its topics.
type Subscriber func(consumer string) (message.Subscriber, error)

// closeTimeout is how long Close waits for handlers after their contexts have ended: what outlasted the drain has had its time,
// and comes again.
const closeTimeout = 3 * time.Second

// New registers every route of the services.
func New(services []*Service, subscriber Subscriber, log *slog.Logger) (*Router, error) {
	wm, err := message.NewRouter(message.RouterConfig{CloseTimeout: closeTimeout}, watermillLogger(log))
	if err != nil {
		return nil, fmt.Errorf("making the router: %w", err)
	}
	r := &Router{watermill: wm, services: services, idle: make(chan struct{}), finished: make(chan struct{})}
	for _, s := range services {
		sub, err := subscriber(s.Name())
		if err != nil {
			return nil, fmt.Errorf("subscribing %s: %w", s.Name(), err)
		}
		for topic, route := range s.routes {
			h := wm.AddConsumerHandler(handlerName(s, route), topic, sub, func(msg *message.Message) error {
				_, err := s.handler(msg)
				return err
			})
			for _, step := range s.chain() {
				h.AddMiddleware(step.wrap)
			}
		}
	}
	return r, nil
}

// watermillLogger keeps Watermill's words for debugging: it logs each refused message as an error, which the service itself
// does once in a while.
func watermillLogger(log *slog.Logger) watermill.LoggerAdapter {
	if !log.Enabled(context.Background(), slog.LevelDebug) {
		return watermill.NopLogger{} // the adapter builds each line before it finds that nobody wants it
	}
	return watermill.NewSlogLoggerWithLevelMapping(log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug, slog.LevelError: slog.LevelDebug})
}

// handlerName is how a handler appears in Watermill: inventory/order.created, with the major version of events that are
// upgraded for it.
func handlerName(s *Service, route *Route) string {
	name := s.Name() + "/" + route.Contract.Type
	if major := route.Contract.Major(); major != route.Sample.Contract().Major() {
		name += ".v" + major
	}
	return name
}

// Handlers are the names of the handlers on Watermill's router.
func (r *Router) Handlers() []string {
	var names []string
	for name := range r.watermill.Handlers() {
		names = append(names, name)
	}
	return names
}

// Start runs the router, the recovery of parked events and the jobs; it returns when every subscription stands.
func (r *Router) Start(ctx context.Context) error {
	failed := make(chan error, 1)
	go func() { failed <- r.watermill.Run(context.WithoutCancel(ctx)) }()
	select {
	case <-r.watermill.Running():
	case err := <-failed:
		return errors.Join(errors.New("the router stopped while it started"), err)
	case <-ctx.Done():
		return ctx.Err()
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	inHand, cut := context.WithCancel(context.WithoutCancel(ctx))
	r.stop, r.cut = stop, cut
	var group, jobs sync.WaitGroup
	for _, s := range r.services {
		group.Go(func() { s.recovery(work) })
		jobs.Go(func() { s.runJobs(work, inHand) })
		group.Go(func() { s.runRebuilds(work) })
	}
	go func() {
		defer close(r.idle)
		group.Wait()
	}()
	go func() {
		defer close(r.finished)
		jobs.Wait()
	}()
	return nil
}

// StopWork ends recovery and takes no more jobs, which feed on the stores; messages and the jobs in hand go on.
func (r *Router) StopWork(ctx context.Context) error {
	for _, s := range r.services {
		s.stop()
	}
	if r.stop == nil {
		return nil
	}
	r.stop()
	select {
	case <-r.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// FinishJobs waits for the jobs in hand after StopWork, and cuts off those that outlast ctx: they come again.
func (r *Router) FinishJobs(ctx context.Context) error {
	if r.cut == nil {
		return nil
	}
	select {
	case <-r.finished:
		return nil
	case <-ctx.Done():
	}
	r.cut()
	select { // until they have stored that they were cut off
	case <-r.finished:
	case <-time.After(closeTimeout):
	}
	return ctx.Err()
}

// Close refuses what still comes, waits for the handlers and ends Watermill's router. The transport was drained before, so
// that nothing healthy is cut off.
func (r *Router) Close() error {
	for _, s := range r.services {
		s.draining.Store(true)
	}
	if r.cut != nil {
		r.cut()
	}
	return r.watermill.Close()
}
