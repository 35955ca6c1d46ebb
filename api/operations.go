package api

import (
	"context"
	"maps"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/store"
)

func (s *Server) operationEndpoints() []endpoint {
	return []endpoint{
		{http.MethodGet, "/status", Viewer, "How the platform stands", nil, answering[Status](s.status)},
		{http.MethodGet, "/trace/:id", Viewer, "The tree of events around an event, a correlation id or a business id", nil, answering[Trace](s.trace)},
		{http.MethodPost, "/consumers/:service/pause", Operator, "Store what arrives instead of handling it, and start no jobs", nil, s.setPaused(true)},
		{http.MethodPost, "/consumers/:service/resume", Operator, "Handle again what arrives, and what waited", nil, s.setPaused(false)},
	}
}

// Status is how the platform stands.
type Status struct {
	Profile  string          `json:"profile"`
	Degraded []string        `json:"degraded"`
	Services []ServiceStatus `json:"services"`
}

// ServiceStatus is how one service stands. Applied, ignored, duplicates and invalid count since its database was made.
type ServiceStatus struct {
	Service       string  `json:"service"`
	Ready         bool    `json:"ready"`
	OutboxPending int64   `json:"outbox_pending"`
	OutboxOldest  float64 `json:"outbox_oldest_seconds"`
	OutboxRefused int64   `json:"outbox_refused"` // events of other languages that stay in outbox_external
	InFlight      int64   `json:"in_flight"`
	Waiting       int64   `json:"waiting"`
	Retrying      int64   `json:"retrying"`
	Dead          int64   `json:"dead"`
	HeldKeys      int64   `json:"held_keys"`
	Applied       int64   `json:"applied"`
	Ignored       int64   `json:"ignored"`
	Duplicates    int64   `json:"duplicates"`
	Invalid       int64   `json:"invalid"`
	Discarded     int64   `json:"discarded"`
	LagEvents     int64   `json:"lag_events"`
	LagSeconds    float64 `json:"lag_seconds"`
	Paused        bool    `json:"paused"`
	WhyPaused     string  `json:"why_paused,omitzero"` // and by whom
}

// standing is how one service stands, with what its consumers' lag is made of. Processes tell it each other.
type standing struct {
	ServiceStatus
	Hears   []string        `json:"hears"`
	Backlog map[string]owed `json:"backlog"` // by topic
	Owed    owed            `json:"owed"`    // what the transport has for it, as far as this instance is concerned
}

// owed is what a consumer has not got yet.
type owed struct {
	Events int64   `json:"events"`
	Oldest float64 `json:"oldest_seconds"`
}

// instanceStatus is how one process stands.
type instanceStatus struct {
	Profile  string     `json:"profile"`
	Instance string     `json:"instance"`
	Degraded []string   `json:"degraded"`
	Services []standing `json:"services"`
}

func (s *Server) status(c *gin.Context) {
	here := s.instanceStatus(c.Request.Context())
	if forwarded(c) {
		addLag(here.Services)
		writeJSON(c, http.StatusOK, here)
		return
	}
	writeJSON(c, http.StatusOK, s.platformStatus(c, here))
}

// instanceStatus is how the services of this process stand.
func (s *Server) instanceStatus(ctx context.Context) instanceStatus {
	status := instanceStatus{Profile: s.Profile, Instance: s.instance, Degraded: []string{}, Services: []standing{}}
	if s.Degraded != nil {
		status.Degraded = append(status.Degraded, s.Degraded()...)
	}
	var lag map[string]map[string]store.Backlog
	if s.Lag != nil {
		lag = s.Lag()
	}
	for _, name := range s.names() {
		service := s.services[name]
		st, err := service.Store().Status(ctx)
		if err != nil {
			status.Degraded = append(status.Degraded, name+": "+err.Error())
		}
		one := standing{Hears: service.Topics(), Backlog: map[string]owed{}, ServiceStatus: ServiceStatus{
			Service: name, Ready: err == nil, OutboxPending: st.OutboxPending, OutboxOldest: st.OutboxOldest.Seconds(), OutboxRefused: st.OutboxRefused, InFlight: service.InFlight(),
			Waiting: st.Waiting, Retrying: st.Retrying, Dead: st.Dead, HeldKeys: st.HeldKeys, Applied: st.Counters["applied"], Ignored: st.Counters["ignored"],
			Duplicates: st.Counters["duplicate"], Invalid: st.Counters["invalid"], Discarded: st.Counters["discarded"], Paused: service.Paused(), WhyPaused: service.WhyPaused(),
		}}
		for topic, b := range st.Pending {
			one.Backlog[topic] = owed{Events: b.Events, Oldest: b.Oldest.Seconds()}
		}
		for _, b := range lag[name] {
			one.Owed = one.Owed.and(owed{Events: b.Events, Oldest: b.Oldest.Seconds()})
		}
		status.Services = append(status.Services, one)
	}
	return status
}

func (o owed) and(other owed) owed {
	return owed{Events: o.Events + other.Events, Oldest: max(o.Oldest, other.Oldest)}
}

// addLag fills in the lag: what outboxes and the transport hold for a consumer.
func addLag(services []standing) {
	backlog := map[string]owed{}
	for _, one := range services {
		maps.Copy(backlog, one.Backlog)
	}
	for i := range services {
		lag := services[i].Owed
		for _, topic := range services[i].Hears {
			lag = lag.and(backlog[topic])
		}
		services[i].LagEvents, services[i].LagSeconds = lag.Events, lag.Oldest
	}
}

type pauseBody struct {
	Reason string `json:"reason" rule:"text"` // kept in the audit
}

type pausedBody struct {
	Service string `json:"service"`
	Paused  bool   `json:"paused"`
}

func (s *Server) setPaused(pause bool) action {
	handle := func(c *gin.Context) {
		service, ok := s.of(c, c.Param("service"))
		if !ok {
			return
		}
		body, _, err := requestBody[pauseBody](c, s.MaxBody, nil)
		if err != nil {
			s.refuse(c, err)
			return
		}
		act := service.Resume
		if pause {
			act = service.Pause
		}
		if err := act(context.WithoutCancel(c.Request.Context()), s.callerOf(c).Name, body.Reason); err != nil {
			s.refuse(c, err)
			return
		}
		writeJSON(c, http.StatusOK, pausedBody{Service: service.Name(), Paused: service.Paused()})
	}
	return action{body: pauseBody{}, status: http.StatusOK, answer: pausedBody{}, handle: handle}
}
