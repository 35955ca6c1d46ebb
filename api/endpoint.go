package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/store"
)

// Role is what a caller may do (interfaces.md, "Names outside"). An operator is a viewer too, an admin both; a publisher does
// nothing else than publish.
type Role string

// The roles of the API.
const (
	Anyone    Role = ""          // probes
	Viewer    Role = "viewer"    // reads
	Publisher Role = "publisher" // POST /events, for the source services that it is bound to
	Operator  Role = "operator"  // commands, requeue, pause
	Admin     Role = "admin"     // discards, sees and erases personal data
	Process   Role = "process"   // what processes of the platform ask each other: no part of the public API
)

// endpoint is one row of the API's table: routing, roles, documents and tests all read it.
type endpoint struct {
	method  string
	path    string // below /api/v1, parameters as in gin: /orders/:id
	role    Role
	summary string
	query   []parameter
	action
}

// action is what an endpoint does: what it takes, what it answers when it succeeds, and the doing.
type action struct {
	service string // that answers; "" for the process itself
	body    any    // zero value of the request's body; nil for none
	status  int
	answer  any // zero value of the answer's body; nil for none
	handle  gin.HandlerFunc
}

// parameter is one of the query.
type parameter struct {
	name     string
	sample   any // zero value of its type: "", 0, false, time.Time{}, events.Money(0), month("")
	oneOf    []string
	required bool
	doc      string
}

// endpoints is the whole API below /api/v1, a service that this process does not know left out.
func (s *Server) endpoints() []endpoint {
	var all []endpoint
	for _, part := range [][]endpoint{
		s.catalogEndpoints(), s.inventoryEndpoints(), s.orderEndpoints(), s.paymentEndpoints(), s.fulfillmentEndpoints(),
		s.notificationEndpoints(), s.auditEndpoints(), s.procurementEndpoints(),
		s.customerEndpoints(), s.accountingEndpoints(),
		s.searchEndpoints(), s.analyticsEndpoints(),
		s.eventEndpoints(), s.contractEndpoints(), s.operationEndpoints(), s.rebuildEndpoints(), s.peerEndpoints(),
		s.deadLetterEndpoints(),
	} {
		all = append(all, part...)
	}
	return all
}

func (s *Server) routes() {
	s.engine.GET("/livez", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "alive"}) })
	s.engine.GET("/readyz", s.ready)
	if s.Metrics != nil {
		s.engine.GET("/metrics", s.allowed(Viewer), gin.WrapH(s.Metrics))
	}
	if s.Debug != nil {
		s.engine.GET("/debug/pprof/*profile", s.allowed(Admin), gin.WrapH(s.Debug))
	}
	s.engine.GET("/contracts/*page", s.sitePage)
	v1 := s.engine.Group("/api/v1")
	for _, e := range s.endpoints() {
		v1.Handle(e.method, e.path, s.allowed(e.role), s.queried(e.query), e.handle)
	}
}

// answering is an action of the process itself: handle writes its answer, an A.
func answering[A any](handle gin.HandlerFunc) action {
	var answer A
	return action{status: http.StatusOK, answer: answer, handle: handle}
}

// reading is a query on a snapshot of a service's database.
func reading[A any](s *Server, service string, query func(ctx context.Context, r store.Reader, c *gin.Context) (A, error)) action {
	var answer A
	return action{service: service, status: http.StatusOK, answer: answer, handle: func(c *gin.Context) {
		s.view(c, service, func(ctx context.Context, r store.Reader) (any, error) { return query(ctx, r, c) })
	}}
}

// listing is a paged query: list reads up to limit rows after a key, which key gives of a row.
func listing[T any](s *Server, service string, key func(T) string, list func(ctx context.Context, r store.Reader, c *gin.Context, after string, limit int) ([]T, error)) action {
	return reading(s, service, func(ctx context.Context, r store.Reader, c *gin.Context) (page[T], error) {
		limit, after, err := paging(c)
		if err != nil {
			return page[T]{}, err
		}
		rows, err := list(ctx, r, c, after, limit+1)
		return pageOf(rows, limit, key), err
	})
}

// paged are the parameters of a listing, after its own.
func paged(own ...parameter) []parameter {
	return append(own,
		parameter{name: "limit", sample: 0, doc: "items of a page, 50 if not given, at most 200"},
		parameter{name: "cursor", sample: "", doc: "next_cursor of the page before"},
	)
}
