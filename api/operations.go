package api

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/first-viscount/viscount/store"
)

func (s *Server) operationRoutes(g *gin.RouterGroup) {
	g.GET("/status", s.status)
	g.GET("/trace/:id", s.trace)
	g.POST("/consumers/:service/pause", s.setPaused(true))
	g.POST("/consumers/:service/resume", s.setPaused(false))
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
	InFlight      int64   `json:"in_flight"`
	Waiting       int64   `json:"waiting"`
	Retrying      int64   `json:"retrying"`
	Dead          int64   `json:"dead"`
	HeldKeys      int64   `json:"held_keys"`
	Applied       int64   `json:"applied"`
	Ignored       int64   `json:"ignored"`
	Duplicates    int64   `json:"duplicates"`
	Invalid       int64   `json:"invalid"`
	LagEvents     int64   `json:"lag_events"`
	LagSeconds    float64 `json:"lag_seconds"`
	Paused        bool    `json:"paused"`
}

func (s *Server) status(c *gin.Context) {
	status := Status{Profile: s.Profile, Degraded: []string{}, Services: []ServiceStatus{}}
	if s.Degraded != nil {
		status.Degraded = append(status.Degraded, s.Degraded()...)
	}
	backlog := map[string]store.Backlog{}
	for _, name := range s.names() {
		service := s.services[name]
		st, err := service.Store().Status(c.Request.Context())
		if err != nil {
			status.Degraded = append(status.Degraded, name+": "+err.Error())
		}
		for topic, b := range st.Pending {
			backlog[topic] = b
		}
		status.Services = append(status.Services, ServiceStatus{
			Service: name, Ready: err == nil, OutboxPending: st.OutboxPending, OutboxOldest: st.OutboxOldest.Seconds(), InFlight: service.InFlight(),
			Waiting: st.Waiting, Retrying: st.Retrying, Dead: st.Dead, HeldKeys: st.HeldKeys, Applied: st.Counters["applied"], Ignored: st.Counters["ignored"],
			Duplicates: st.Counters["duplicate"], Invalid: st.Counters["invalid"], Paused: service.Paused(),
		})
	}
	for i := range status.Services { // what outboxes hold for a consumer is its lag
		for _, topic := range s.services[status.Services[i].Service].Topics() {
			status.Services[i].LagEvents += backlog[topic].Events
			status.Services[i].LagSeconds = max(status.Services[i].LagSeconds, backlog[topic].Oldest.Seconds())
		}
	}
	writeJSON(c, http.StatusOK, status)
}

type pauseBody struct {
	Reason string `json:"reason"`
}

func (s *Server) setPaused(pause bool) gin.HandlerFunc {
	return func(c *gin.Context) {
		service, ok := s.of(c, c.Param("service"))
		if !ok {
			return
		}
		var body pauseBody
		if err := c.ShouldBindJSON(&body); err != nil || body.Reason == "" {
			problem(c, http.StatusUnprocessableEntity, store.InvalidValue, "reason is required: it is kept in the audit")
			return
		}
		act := service.Resume
		if pause {
			act = service.Pause
		}
		if err := act(context.WithoutCancel(c.Request.Context()), "operator", body.Reason); err != nil {
			s.refuse(c, err)
			return
		}
		writeJSON(c, http.StatusOK, map[string]any{"service": service.Name(), "paused": service.Paused()})
	}
}
