package store_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/store"
)

// A rate over a counter that appears with its first failure misses that one.
func TestCountersOfFailuresBeginAtZero(t *testing.T) {
	registry := prometheus.NewRegistry()
	open(t, t.TempDir(), func(o *store.Options) { o.Registerer = registry })
	found, err := registry.Gather()
	require.NoError(t, err)
	series := map[string]int{}
	for _, family := range found {
		series[family.GetName()] = len(family.GetMetric())
	}
	require.Equal(t, []int{7, 1, 1}, []int{series["viscount_store_failures_total"], series["viscount_publish_failures_total"], series["viscount_handlers_abandoned_total"]})
}
