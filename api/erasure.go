package api

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/customers"
	"github.com/first-viscount/viscount/store"
)

// erasureBody is how far the erasure of a customer's personal data has come.
type erasureBody struct {
	CustomerID string            `json:"customer_id"`
	Complete   bool              `json:"complete"` // every service of the platform has done it
	Services   []erasedAtService `json:"services"`
	// Copies is when the broker's copies of the customer's events end; absent where it keeps none.
	Copies *time.Time `json:"broker_copies_until,omitzero"`
	Notes  []string   `json:"notes"` // what is left outside of the platform's reach, and until when
}

type erasedAtService struct {
	Service  string     `json:"service"`
	ErasedAt *time.Time `json:"erased_at,omitzero"`
	Events   int64      `json:"events_redacted,omitzero"` // recorded and parked ones, by this request
	Detail   string     `json:"detail,omitzero"`          // why not yet
}

// peerErased is what a process answers another about one service.
type peerErased struct {
	Events int64 `json:"events"`
}

func (s *Server) erasureEndpoints(service *customers.Service) []endpoint {
	return []endpoint{
		{http.MethodDelete, "/customers/:id/personal-data", Admin, "Erase a customer's name and addresses in every service; 202 if some are still to do it: repeat it then", nil,
			answering[erasureBody](func(c *gin.Context) { s.erase(c, service) })},
		{http.MethodGet, "/customers/:id/personal-data", Viewer, "How far the erasure of a customer's personal data has come", nil,
			reading(s, "customers", func(ctx context.Context, r store.Reader, c *gin.Context) (erasureBody, error) {
				return s.erasure(ctx, r, service, c.Param("id"))
			})},
	}
}

// erase has every service erase a customer's personal data, one after the other. It is a saga whose memory is the customer
// service: what is not reached, or was cut short by a crash, stays noted as open, and the same request does it again.
func (s *Server) erase(c *gin.Context, service *customers.Service) {
	at, ok := s.of(c, "customers")
	if !ok {
		return
	}
	id := c.Param("id")
	if !events.ValidID(id) {
		problem(c, http.StatusUnprocessableEntity, store.InvalidValue, "a customer's id has 1–128 printable characters")
		return
	}
	ctx, st := context.WithoutCancel(c.Request.Context()), at.Store() // a client that hangs up does not cut it short
	if err := st.Do(ctx, func(ctx context.Context, tx *store.Tx) error {
		return service.RequestErasure(ctx, tx, id, s.everyService())
	}); err != nil {
		s.refuse(c, err)
		return
	}
	done, failed := map[string]int64{}, map[string]string{}
	for _, name := range s.everyService() {
		n, err := s.eraseAt(ctx, askerFor(c), name, id)
		if err == nil {
			err = st.Do(ctx, func(ctx context.Context, tx *store.Tx) error { return service.NoteErased(ctx, tx, id, name) })
		}
		if err != nil {
			failed[name] = err.Error()
			s.Logger.ErrorContext(ctx, "personal data is not erased yet", "service", name, "customer_id", id, "error", err)
			continue
		}
		done[name] = n
	}
	var answer erasureBody
	err := st.View(ctx, func(ctx context.Context, r store.Reader) (err error) {
		answer, err = s.erasure(ctx, r, service, id)
		return err
	})
	if err != nil {
		s.refuse(c, err)
		return
	}
	for i, one := range answer.Services {
		answer.Services[i].Events, answer.Services[i].Detail = done[one.Service], failed[one.Service]
	}
	status := http.StatusOK
	if !answer.Complete {
		status = http.StatusAccepted
	}
	writeJSON(c, status, answer)
}

// everyService are the services of the platform that run here or at a peer, and those that should.
func (s *Server) everyService() []string {
	names := append(s.names(), s.Audience...)
	for _, p := range s.Peers {
		names = append(names, p.Service)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// eraseAt has one service erase a customer's data, here or at a peer, and tells how many events it redacted.
func (s *Server) eraseAt(ctx context.Context, a asker, service, customer string) (int64, error) {
	if at, here := s.services[service]; here {
		e, err := at.Erase(ctx, customer)
		return e.Recorded + e.Parked, err
	}
	p, known := s.peers[service]
	if !known {
		return 0, store.Refuse(store.NotFound, "", "service %s does not run in this process, and http.peers does not say where it does", service)
	}
	body, err := json.Marshal(erasedCustomer{customer})
	if err != nil {
		return 0, err
	}
	var answer peerErased
	err = a.post(ctx, p, "/peers/erase?service="+url.QueryEscape(service), body, &answer)
	return answer.Events, err
}

type erasedCustomer struct {
	CustomerID string `json:"customer_id" rule:"id"`
}

// peerErase erases a customer's data in one service that runs here, for the process that runs the customer service.
func (s *Server) peerErase(c *gin.Context) {
	service, ok := s.asked(c)
	if !ok {
		return
	}
	body, _, err := requestBody[erasedCustomer](c, s.MaxBody, nil)
	if err != nil {
		s.refuse(c, err)
		return
	}
	e, err := service.Erase(context.WithoutCancel(c.Request.Context()), body.CustomerID)
	if err != nil {
		s.refuse(c, err)
		return
	}
	writeJSON(c, http.StatusOK, peerErased{e.Recorded + e.Parked})
}

// erasure is how far it has come, and what the platform cannot reach.
func (s *Server) erasure(ctx context.Context, r store.Reader, service *customers.Service, customer string) (erasureBody, error) {
	e := erasureBody{CustomerID: customer, Complete: true, Services: []erasedAtService{}, Notes: []string{}}
	all, err := service.Erasures(ctx, r, customer)
	if err == nil && len(all) == 0 {
		err = store.Refuse(store.NotFound, "", "nobody has asked to erase the data of a customer %s", customer)
	}
	if err != nil {
		return e, err
	}
	last := time.Time{}
	for _, one := range all {
		e.Services = append(e.Services, erasedAtService{Service: one.Service, ErasedAt: one.ErasedAt})
		e.Complete = e.Complete && one.ErasedAt != nil
		if one.RequestedAt.After(last) {
			last = one.RequestedAt
		}
	}
	if s.Copies != nil {
		copies := s.Copies()
		e.Notes = append(e.Notes, copies.Notes...)
		if copies.Kept > 0 {
			until := last.Add(copies.Kept)
			e.Copies = &until
		}
	}
	return e, nil
}

// Copies are what is kept of events outside of the services' databases.
type Copies struct {
	Kept  time.Duration // how long the broker keeps an event with personal data; 0 if it keeps none
	Notes []string
}
