// Package app joins everything into a process: it opens the services' databases and the transport that it is given, runs the
// router, the relays and the HTTP server, and stops them in the order in which nothing accepted is lost.
//
// It imports every other folder but links no broker's client: the driver is an argument.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/driver"
)

// Options are what a process runs.
type Options struct {
	Config    config.Config
	Driver    driver.Driver
	Consumers []router.Consumer       // services of the caller's own
	Platform  bool                    // also those of the platform that the configuration names
	Version   string                  // of the program, as traces tell it; may be empty
	Logger    *slog.Logger            // slog.Default if nil
	Tracers   trace.TracerProvider    // no tracing if nil
	Failpoint func(name string) error // fault injection for tests; VISCOUNT_FAILPOINTS if nil

	// FillPatience is how long a new service waits for publishers in other processes that do not answer; a minute if 0.
	FillPatience time.Duration
}

// App is a running process.
type App struct {
	options   Options
	log       *slog.Logger
	catalogue *events.Catalogue
	registry  *prometheus.Registry
	listener  net.Listener
	stores    []*store.Store
	services  []*router.Service
	transport driver.Transport
	watch     *watch
	callers   *callers // nil without authentication
	router    *router.Router
	api       *api.Server
	server    *http.Server

	closeOutside []func()

	stopFeeding context.CancelFunc // relays and pruning
	feeding     sync.WaitGroup
	draining    atomic.Bool
	failed      chan error
}

// Start opens everything and returns when the process is ready: every subscription stands and HTTP is served.
func Start(ctx context.Context, o Options) (_ *App, err error) {
	a := &App{options: o, log: o.Logger, registry: prometheus.NewRegistry(), failed: make(chan error, 1)}
	if a.log == nil {
		a.log = slog.Default()
	}
	if err := errors.Join(o.Kept(), a.readFailpoints()); err != nil {
		return nil, err
	}
	a.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Stop(context.WithoutCancel(ctx)))
		}
	}()
	a.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", o.Config.HTTP.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: set another address with --listen or http.listen, or end what listens there: %w", o.Config.HTTP.Listen, err)
	}
	platform, consumers, err := a.chosen()
	if err != nil {
		return nil, err
	}
	if a.catalogue, err = catalogueOf(consumers); err != nil {
		return nil, err
	}
	for _, step := range []func() error{
		func() error { return a.openServices(ctx, consumers) },
		func() error { return a.openTransport(ctx, consumers) },
		func() error { return a.serve(platform) }, // other processes may be filled from this one before it is ready itself
		func() error { return a.fill(ctx) },
		func() error { return a.startRouter(ctx) },
		func() error { return a.startFeeding(ctx) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// chosen picks the services that run here.
func (a *App) chosen() (api.Platform, []router.Consumer, error) {
	consumers := a.options.Consumers
	if !a.options.Platform {
		return api.Platform{}, consumers, distinct(consumers)
	}
	platform := services(a.options.Config)
	if err := a.connect(platform, a.options.Config); err != nil {
		return platform, nil, err
	}
	for _, c := range routes(platform) {
		if a.options.Config.Runs(c.Name) {
			consumers = append(consumers, c)
		}
	}
	return platform, consumers, distinct(consumers)
}

// catalogueOf is the platform's contracts and those that the consumers bring.
func catalogueOf(consumers []router.Consumer) (*events.Catalogue, error) {
	var own []events.Definition
	for _, c := range consumers {
		own = append(own, c.Contracts...)
	}
	return events.Platform().With(own...)
}

// upcasting lets consumers hear earlier major versions of what they handle.
func upcasting(catalogue *events.Catalogue, consumers []router.Consumer) []router.Consumer {
	all := slices.Clone(consumers)
	for i := range all {
		all[i].Routes = router.Upcasting(catalogue, all[i].Routes)
	}
	return all
}

// openServices opens the databases at the same time: each migrates and flushes its own file.
func (a *App) openServices(ctx context.Context, consumers []router.Consumer) error {
	storeMetrics, routerMetrics := store.NewMetrics(a.registry), router.NewMetrics(a.registry)
	c := a.options.Config
	a.stores = make([]*store.Store, len(consumers))
	a.services = make([]*router.Service, len(consumers))
	alone := new(sync.RWMutex)
	var group errgroup.Group
	for i, consumer := range consumers {
		group.Go(func() (err error) {
			o := storeOptions(c.Store, consumer)
			o.Catalogue, o.Logger, o.Metrics, o.Failpoint = a.catalogue, a.log, storeMetrics, a.options.Failpoint
			if a.stores[i], err = store.Open(ctx, o); err != nil {
				return err
			}
			a.services[i], err = router.NewService(ctx, consumer, a.stores[i], router.Options{
				Settings: settings(c.Router), Logger: a.log, Metrics: routerMetrics, Tracers: a.options.Tracers, Failpoint: a.options.Failpoint, Alone: alone,
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return nil
}

// storeOptions say where a service's database is.
func storeOptions(c config.Store, consumer router.Consumer) store.Options {
	o := store.Options{Service: consumer.Name, Source: consumer.SourceService(), Dir: c.SQLite.Dir, Migrations: consumer.Migrations}
	if c.Driver == "postgres" {
		o.Postgres = store.Postgres{URL: c.Postgres.URL, Password: c.Postgres.Password}
		o.Migrate = store.Migrating(c.Postgres.Migrate)
	}
	return o
}

func settings(c config.Router) router.Settings {
	return router.Settings{
		AttemptTimeout: c.AttemptTimeout, ImmediateRetries: c.Retry.Immediate, DelayedRetries: c.Retry.Delayed, OnFailure: router.Policy(c.OnFailure),
		FollowsTimeout: c.FollowsTimeout, WaitingLimit: c.WaitingLimit, Suspects: c.KeysInFlight,
	}
}

func (a *App) openTransport(ctx context.Context, consumers []router.Consumer) (err error) {
	all := consumers
	if a.options.Platform {
		all = append(routes(services(a.options.Config)), a.options.Consumers...)
	}
	o := transportOptions(a.options.Config, consumers, all, a.catalogue)
	o.Logger = a.log
	a.transport, err = a.options.Driver.Open(ctx, o)
	if err != nil {
		return fmt.Errorf("opening the transport %s: %w", a.options.Driver.Name, err)
	}
	a.watch = &watch{name: a.options.Driver.Name, transport: a.transport}
	a.registry.MustRegister(&gauges{app: a, timeout: 2 * time.Second})
	return nil
}

// transportOptions are for the consumers of a process, among all of the platform's. They hear every major version that reaches
// their handlers.
func transportOptions(c config.Config, here, all []router.Consumer, catalogue *events.Catalogue) driver.Options {
	transport := c.Transport
	transport.SQL = c.EventDatabase()
	here, all = upcasting(catalogue, here), upcasting(catalogue, all)
	return driver.Options{
		Config: transport, Consumers: hearing(here), Audience: hearing(all), Topics: topicsOf(catalogue, here), KeysInFlight: c.Router.KeysInFlight,
	}
}

// hearing maps consumers to the topics that they hear.
func hearing(consumers []router.Consumer) map[string][]string {
	topics := map[string][]string{}
	for _, c := range consumers {
		topics[c.Name] = c.Topics()
	}
	return topics
}

// topicsOf are the topics that the consumers hear or publish to, and those that take notices of their dead letters.
func topicsOf(catalogue *events.Catalogue, consumers []router.Consumer) []driver.Topic {
	concerns, hears := map[string]bool{}, map[string]bool{} // topics heard, sources published from
	for _, c := range consumers {
		concerns[c.SourceService()] = true
		for _, topic := range c.Topics() {
			concerns[topic], hears[topic] = true, true
		}
	}
	var topics []driver.Topic
	for _, d := range catalogue.All() {
		if concerns[d.Contract.Publisher] || concerns[d.Contract.Topic()] {
			topics = append(topics, driver.Topic{Name: d.Contract.Topic(), Retention: d.Contract.Retention})
		}
		if hears[d.Contract.Topic()] {
			topics = append(topics, driver.Topic{Name: d.Contract.DeadLetterTopic(), Retention: noticeRetention})
		}
	}
	return topics
}

// noticeRetention is how long brokers keep notices of dead letters; the letters themselves stay until a person decides.
const noticeRetention = 30 * events.Day

func (a *App) startRouter(ctx context.Context) (err error) {
	if a.router, err = router.New(a.services, a.transport.Subscriber, a.log); err != nil {
		return err
	}
	return a.router.Start(ctx)
}

// startFeeding begins the relays and the pruning, after the subscriptions stand.
func (a *App) startFeeding(ctx context.Context) error {
	ctx, a.stopFeeding = context.WithCancel(context.WithoutCancel(ctx))
	a.feeding.Go(func() { a.watch.run(ctx) })
	publish := failing(RelayTo(a.transport.Publisher()), a.options.Failpoint)
	for _, st := range a.stores {
		a.feeding.Go(func() { st.Relay(ctx, publish) })
		a.feeding.Go(func() { a.prune(ctx, st) })
	}
	return nil
}

// serve begins to answer HTTP. Every timeout of the server is set; streams extend their own.
func (a *App) serve(platform api.Platform) error {
	c := a.options.Config
	peers, err := a.peers()
	if err != nil {
		return err
	}
	if a.callers, err = openCallers(c.HTTP.Auth.TokensFile, a.log); err != nil {
		return err
	}
	options := api.Options{
		Profile: c.Profile, Platform: platform, Services: a.services, Peers: peers, PeerToken: c.HTTP.PeerToken, Topics: a.topics(), Catalogue: a.catalogue, MaxBody: c.HTTP.MaxBody, Logger: a.log, Tracers: a.options.Tracers,
		Metrics: promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}), Draining: a.draining.Load,
		Degraded: a.degraded, Lag: a.lag, Audience: a.audience(), Copies: a.copies,
	}
	if a.callers != nil {
		options.Callers = a.callers.find
	}
	if c.Debug.Pprof {
		options.Debug = profiles()
	}
	a.api = api.New(options)
	a.server = &http.Server{
		Handler: a.api, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("serving HTTP: %w", err)
		}
	}()
	return nil
}

// URL is where the process answers.
func (a *App) URL() string { return "http://" + a.listener.Addr().String() }

// Services are the services that run here.
func (a *App) Services() []*router.Service { return a.services }

// Router runs their handlers.
func (a *App) Router() *router.Router { return a.router }

// Failed receives when the process cannot go on.
func (a *App) Failed() <-chan error { return a.failed }

// Stop ends the process in order: no new requests, no new work, work in flight finishes, then transport and databases close.
// What ctx cuts short comes again after the next start.
func (a *App) Stop(ctx context.Context) error {
	a.draining.Store(true)
	var errs []error
	if a.server != nil {
		a.api.CloseStreams()
		errs = append(errs, a.server.Shutdown(ctx))
	} else if a.listener != nil {
		errs = append(errs, a.listener.Close())
	}
	if a.router != nil {
		errs = append(errs, a.router.StopWork(ctx))
	}
	if a.stopFeeding != nil {
		a.stopFeeding()
		errs = append(errs, waitFor(ctx, &a.feeding))
	}
	if a.transport != nil {
		errs = append(errs, a.transport.Drain(ctx))
	}
	if a.router != nil {
		errs = append(errs, a.router.FinishJobs(ctx)) // they had as long as the messages
		errs = append(errs, a.router.Close())
	}
	if a.transport != nil {
		errs = append(errs, a.transport.Close())
	}
	for _, end := range a.closeOutside {
		end()
	}
	a.feeding.Wait() // the transport is closed, so that nothing holds the relays any more
	for _, st := range a.stores {
		if st != nil {
			errs = append(errs, st.Close())
		}
	}
	return errors.Join(errs...)
}

func waitFor(ctx context.Context, group *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
