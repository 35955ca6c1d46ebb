package store

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the counters of all stores of a process.
type Metrics struct {
	published *prometheus.CounterVec
	refused   *prometheus.CounterVec
	failures  *prometheus.CounterVec
	commits   *prometheus.CounterVec
	members   *prometheus.CounterVec
	abandoned *prometheus.CounterVec
}

// NewMetrics makes the counters and registers them, unless r is nil.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		published: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_events_published_total", Help: "Events that the transport has taken."}, []string{"service", "event_type"}),
		refused:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_publish_failures_total", Help: "Publications that the transport refused; they are tried again."}, []string{"service"}),
		failures:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_store_failures_total", Help: "Database operations that failed."}, []string{"service", "operation"}),
		commits:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_store_commits_total", Help: "Commits flushed to disk."}, []string{"service"}),
		members:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_store_transactions_total", Help: "Transactions that shared those commits."}, []string{"service"}),
		abandoned: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "viscount_handlers_abandoned_total", Help: "Handlers that ignored their deadline and were given up; each holds its memory until it returns."}, []string{"service"}),
	}
	if r != nil {
		r.MustRegister(m.published, m.refused, m.failures, m.commits, m.members, m.abandoned)
	}
	return m
}

// begin makes a store's counters of failures stand at 0 from its start on: a rate misses the first count of one that appears.
func (m *Metrics) begin(service string) {
	m.refused.WithLabelValues(service)
	m.abandoned.WithLabelValues(service)
	for _, operation := range []string{"begin", "lock", "savepoint", "outbox", "commit", "read", "dead_letter"} {
		m.failures.WithLabelValues(service, operation)
	}
}
