package app

import (
	"context"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/first-viscount/viscount/router"
)

// gauges reads the services' standing when it is asked, so that a gauge never goes stale.
type gauges struct {
	services []*router.Service
	timeout  time.Duration
}

var (
	parkedDesc  = prometheus.NewDesc("viscount_parked", "Events parked by state.", []string{"service", "state"}, nil)
	heldDesc    = prometheus.NewDesc("viscount_held_keys", "Keys held by a failed event.", []string{"service"}, nil)
	pendingDesc = prometheus.NewDesc("viscount_outbox_pending", "Committed events that the transport has not taken.", []string{"service"}, nil)
	oldestDesc  = prometheus.NewDesc("viscount_outbox_oldest_seconds", "Age of the oldest of them.", []string{"service"}, nil)
)

// Describe implements prometheus.Collector.
func (g *gauges) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{parkedDesc, heldDesc, pendingDesc, oldestDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (g *gauges) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), g.timeout)
	defer cancel()
	for _, s := range g.services {
		st, err := s.Store().Status(ctx)
		if err != nil {
			continue // viscount_store_failures_total tells
		}
		gauge := func(d *prometheus.Desc, value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{s.Name()}, labels...)...)
		}
		gauge(parkedDesc, float64(st.Waiting), "waiting")
		gauge(parkedDesc, float64(st.Retrying), "retrying")
		gauge(parkedDesc, float64(st.Dead), "dead")
		gauge(heldDesc, float64(st.HeldKeys))
		gauge(pendingDesc, float64(st.OutboxPending))
		gauge(oldestDesc, st.OutboxOldest.Seconds())
	}
}

// withPprof adds the profiles of the running process, when the configuration asks for them.
func withPprof(next http.Handler, on bool) http.Handler {
	if !on {
		return next
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle("/", next)
	return mux
}
