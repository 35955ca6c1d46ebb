// Package api is the platform over HTTP: the commands and queries of each service, events in and out, and what an operator
// asks. A command runs in its service's own transaction, together with its stored first answer.
//
// It imports handlers, events, store and the router's public face.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/accounting"
	"github.com/first-viscount/viscount/handlers/analytics"
	"github.com/first-viscount/viscount/handlers/audit"
	"github.com/first-viscount/viscount/handlers/catalog"
	"github.com/first-viscount/viscount/handlers/customers"
	"github.com/first-viscount/viscount/handlers/fulfillment"
	"github.com/first-viscount/viscount/handlers/inventory"
	"github.com/first-viscount/viscount/handlers/notifications"
	"github.com/first-viscount/viscount/handlers/orders"
	"github.com/first-viscount/viscount/handlers/payments"
	"github.com/first-viscount/viscount/handlers/procurement"
	"github.com/first-viscount/viscount/handlers/search"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// Platform are the services of this process; nil for one that runs elsewhere or nowhere.
type Platform struct {
	Catalog       *catalog.Service
	Inventory     *inventory.Service
	Orders        *orders.Service
	Payments      *payments.Service
	Fulfillment   *fulfillment.Service
	Notifications *notifications.Service
	Audit         *audit.Service
	Procurement   *procurement.Service
	Customers     *customers.Service
	Accounting    *accounting.Service
	Search        *search.Service
	Analytics     *analytics.Service
}

// Options are what the API serves.
type Options struct {
	Profile   string
	Platform  Platform
	Services  []*router.Service
	Peers     []Peer // services that run in other processes, in order
	PeerToken string // with which Recorder asks them; "" for none
	Topics    Topics // where the transport's topics keep recorded events; nil: outboxes do
	Catalogue *events.Catalogue
	MaxBody   int64
	Metrics   http.Handler
	Debug     http.Handler // of /debug/pprof; nil for none
	Logger    *slog.Logger
	Tracers   trace.TracerProvider
	Degraded  func() []string // what works less well than it should; nil for nothing
	// Lag is what the transport has for the consumers of this process, by consumer and topic; nil for nothing.
	Lag      func() map[string]map[string]store.Backlog
	Draining func() bool   // the process is stopping; nil for never
	Audience []string      // every service of the platform, wherever it runs
	Copies   func() Copies // of personal data, beyond the reach of an erasure; nil for none
	// Callers knows who a token is of; nil if the API asks nobody for one.
	Callers func(token string) (Caller, bool)
}

// Server answers the platform's HTTP.
type Server struct {
	Options
	services map[string]*router.Service
	peers    map[string]*peer // by service
	instance string           // tells this process from its peers
	engine   *gin.Engine
	tracer   trace.Tracer

	transport *http.Transport // to the peers
	lookup    func(ctx context.Context, network, host string) ([]netip.Addr, error)
	site      func() (map[string][]byte, error)

	mu      sync.Mutex
	running map[string]bool // idempotency keys whose first request still runs
	closed  chan struct{}   // ends the streams
	once    sync.Once
}

// New prepares the routes.
func New(o Options) *Server {
	gin.SetMode(gin.ReleaseMode) // gin's debug mode prints its routes to stdout, which belongs to the commands
	s := &Server{
		Options: o, services: map[string]*router.Service{}, peers: map[string]*peer{}, instance: uuid.NewString(), engine: gin.New(), running: map[string]bool{}, closed: make(chan struct{}),
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	if o.Tracers == nil {
		o.Tracers = noop.NewTracerProvider()
	}
	s.tracer = o.Tracers.Tracer("github.com/first-viscount/viscount/api")
	for _, service := range o.Services {
		s.services[service.Name()] = service
	}
	s.transport, s.lookup = newPeerTransport(), net.DefaultResolver.LookupNetIP
	s.site = sync.OnceValues(s.renderSite)
	for _, p := range o.Peers {
		s.peers[p.Service] = &peer{Peer: p, transport: s.transport}
	}
	s.engine.HandleMethodNotAllowed = true
	s.engine.Use(s.recovered, s.identified)
	s.engine.NoRoute(func(c *gin.Context) {
		problem(c, http.StatusNotFound, store.NotFound, "no such path; see /api/v1/contracts, /api/v1/status, /metrics")
	})
	s.engine.NoMethod(func(c *gin.Context) {
		problem(c, http.StatusMethodNotAllowed, "method_not_allowed", c.Request.Method+" is not possible here")
	})
	s.routes()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// CloseStreams ends the event streams, which would otherwise outlast a shutdown.
func (s *Server) CloseStreams() {
	s.once.Do(func() { close(s.closed) })
	s.transport.CloseIdleConnections()
}

const correlationHeader = "X-Correlation-ID"

// identified gives every request its correlation id and its trace.
func (s *Server) identified(c *gin.Context) {
	id := c.GetHeader(correlationHeader)
	switch {
	case id == "":
		id = uuid.Must(uuid.NewV7()).String()
	case !events.ValidID(id):
		problem(c, http.StatusBadRequest, store.InvalidValue, correlationHeader+" must be 1–128 printable characters")
		return
	}
	c.Header(correlationHeader, id)
	ctx := store.WithTrace(c.Request.Context(), c.GetHeader("traceparent"), c.GetHeader("tracestate"))
	ctx = store.WithOrigin(ctx, store.Origin{CorrelationID: id, RequestID: id})
	ctx, span := s.tracer.Start(ctx, c.Request.Method+" "+c.FullPath(), trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

func (s *Server) recovered(c *gin.Context) {
	defer func() {
		v := recover()
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) { // the answer of a peer broke off, and so must ours
			panic(v)
		}
		if v != nil {
			s.Logger.ErrorContext(c.Request.Context(), "a request panicked", "path", c.FullPath(), "panic", v)
			problem(c, http.StatusInternalServerError, "internal", "the server failed; the request was not applied")
		}
	}()
	c.Next()
}

// of gives the service that answers a route. When it does not run here, the request has been answered: by a peer, or with a
// problem.
func (s *Server) of(c *gin.Context, name string) (*router.Service, bool) {
	service, here := s.services[name]
	if !here {
		s.elsewhere(c, name)
	}
	return service, here
}

// view runs a query on a snapshot of a service's database and writes its answer.
func (s *Server) view(c *gin.Context, service string, query func(ctx context.Context, r store.Reader) (any, error)) {
	at, ok := s.of(c, service)
	if !ok {
		return
	}
	var answer any
	err := at.Store().View(c.Request.Context(), func(ctx context.Context, r store.Reader) (err error) {
		answer, err = query(ctx, r)
		return err
	})
	if err != nil {
		s.refuse(c, err)
		return
	}
	writeJSON(c, http.StatusOK, answer)
}

func (s *Server) ready(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), 2*time.Second)
	defer cancel()
	body := map[string]any{"status": "ready"}
	if s.Degraded != nil {
		if degraded := s.Degraded(); len(degraded) > 0 {
			body["degraded"] = degraded
		}
	}
	status := http.StatusOK
	if s.Draining != nil && s.Draining() {
		status, body["status"] = http.StatusServiceUnavailable, "draining"
	}
	for _, name := range s.names() {
		err := s.services[name].Store().Do(ctx, func(context.Context, *store.Tx) error { return nil })
		if err != nil {
			status, body["status"], body[name] = http.StatusServiceUnavailable, "not ready", err.Error()
		}
	}
	writeJSON(c, status, body)
}

func (s *Server) names() []string {
	names := make([]string, 0, len(s.services))
	for name := range s.services {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
