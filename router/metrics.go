package router

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are the counters of all services of a process (interfaces.md, "Metrics"). Labels never carry an id.
type Metrics struct {
	handled       *prometheus.CounterVec
	invalid       *prometheus.CounterVec
	skewed        *prometheus.CounterVec
	retries       *prometheus.CounterVec
	probes        *prometheus.CounterVec
	latency       *prometheus.HistogramVec
	handleSeconds *prometheus.HistogramVec
}

// routeMetrics are what every event of a route writes, looked up once.
type routeMetrics struct {
	once                   sync.Once
	applied                prometheus.Counter
	latency, handleSeconds prometheus.Observer
}

func (s *Service) metricsOf(r *Route) *routeMetrics {
	m := r.metrics
	m.once.Do(func() {
		m.applied = s.metrics.handled.WithLabelValues(s.Name(), r.Contract.Type, outcomeApplied)
		m.latency = s.metrics.latency.WithLabelValues(s.Name(), r.Contract.Type)
		m.handleSeconds = s.metrics.handleSeconds.WithLabelValues(s.Name(), r.Contract.Type)
	})
	return m
}

// NewMetrics makes the metrics and registers them, unless r is nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	buckets := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60, 600}
	m := &Metrics{
		handled:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_events_handled_total", Help: "Deliveries by what became of them."}, []string{"service", "event_type", "outcome"}),
		invalid:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_events_invalid_total", Help: "Messages turned away before their handler."}, []string{"service", "code"}),
		skewed:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_events_skewed_total", Help: "Events whose timestamp is more than a day from this clock; they are handled as any other."}, []string{"service", "event_type"}),
		retries:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_retries_total", Help: "Immediate retries."}, []string{"service"}),
		probes:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_circuit_probes_total", Help: "Events tried while the circuit is open."}, []string{"service"}),
		latency:       prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "viscount_event_latency_seconds", Help: "From an event's creation to its effects' commit.", Buckets: buckets}, []string{"service", "event_type"}),
		handleSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "viscount_handle_seconds", Help: "One delivery, its retries included.", Buckets: buckets}, []string{"service", "event_type"}),
	}
	if r != nil {
		r.MustRegister(m.handled, m.invalid, m.skewed, m.retries, m.probes, m.latency, m.handleSeconds)
	}
	return m
}
