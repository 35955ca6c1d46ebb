package app

import (
	"context"
	"maps"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/first-viscount/viscount/store"
)

// gauges reads the services' standing when it is asked, so that a gauge never goes stale.
type gauges struct {
	app     *App
	timeout time.Duration
}

var (
	parkedDesc  = prometheus.NewDesc("viscount_parked", "Events parked by state.", []string{"service", "state"}, nil)
	circuitDesc = prometheus.NewDesc("viscount_circuit_open", "Whether the circuit is open: most events fail for one cause.", []string{"service"}, nil)
	heldDesc    = prometheus.NewDesc("viscount_held_keys", "Keys held by a failed event.", []string{"service"}, nil)
	pendingDesc = prometheus.NewDesc("viscount_outbox_pending", "Committed events that the transport has not taken.", []string{"service"}, nil)
	lagDesc     = prometheus.NewDesc("viscount_lag_events", "Committed events of a topic that the service has not taken.", []string{"service", "topic"}, nil)
	delayDesc   = prometheus.NewDesc("viscount_lag_seconds", "Age of the oldest of them.", []string{"service", "topic"}, nil)
	partDesc    = prometheus.NewDesc("viscount_partition_lag_events", "Events of a Kafka topic's partition, read by this process, that the service has not taken.", []string{"service", "topic", "partition"}, nil)
	upDesc      = prometheus.NewDesc("viscount_transport_up", "Whether the transport takes events.", []string{"driver"}, nil)
	refusedDesc = prometheus.NewDesc("viscount_outbox_refused", "Events of other languages that break their contracts and stay in outbox_external.", []string{"service"}, nil)
	oldestDesc  = prometheus.NewDesc("viscount_outbox_oldest_seconds", "Age of the oldest of them.", []string{"service"}, nil)
)

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{parkedDesc, circuitDesc, heldDesc, pendingDesc, oldestDesc, refusedDesc, lagDesc, delayDesc, partDesc, upDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	defer cancel()
	backlog, up := map[string]store.Backlog{}, 0.0
	if g.app.up() {
		up = 1
	}
	for _, s := range g.app.services {
		st, err := s.Store().Status(ctx)
		if err != nil {
			continue // viscount_store_failures_total tells
		}
		maps.Copy(backlog, st.Pending)
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{s.Name()}, labels...)...)
		}
		gauge(parkedDesc, float64(st.Waiting), "waiting")
		gauge(parkedDesc, float64(st.Retrying), "retrying")
		gauge(parkedDesc, float64(st.Dead), "dead")
		_, _, open := s.Circuit()
		gauge(circuitDesc, float64(store.Bit(open)))
		gauge(heldDesc, float64(st.HeldKeys))
		gauge(pendingDesc, float64(st.OutboxPending))
		gauge(oldestDesc, st.OutboxOldest.Seconds())
		gauge(refusedDesc, float64(st.OutboxRefused))
	}
	out <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, up, g.app.watch.name)
	standing, _ := g.app.watch.standing() // degraded tells of the error
	for _, l := range standing.Lag {
		for number, events := range l.Partitions {
			out <- prometheus.MustNewConstMetric(partDesc, prometheus.GaugeValue, float64(events), l.Consumer, l.Topic, strconv.Itoa(int(number)))
		}
	}
	lag := g.app.lag()
	for _, s := range g.app.services {
		for _, topic := range s.Topics() {
			taken := lag[s.Name()][topic]
			out <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, float64(backlog[topic].Events+taken.Events), s.Name(), topic)
			out <- prometheus.MustNewConstMetric(delayDesc, prometheus.GaugeValue, max(backlog[topic].Oldest, taken.Oldest).Seconds(), s.Name(), topic)
		}
	}
}

// profiles serve what the process does with its time and memory.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
