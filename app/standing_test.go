package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// TestATroubledConsumerIsSeen: status and metrics tell of an open circuit, and of a handler that was given up.
func TestATroubledConsumerIsSeen(t *testing.T) {
	var began atomic.Bool
	wake := make(chan struct{})
	a := start(t, t.TempDir(), func(o *app.Options) {
		o.Config.Router.Retry, o.Config.Router.AttemptTimeout = config.Retry{}, time.Second
		o.Consumers = []router.Consumer{router.Assemble("rewards", nil, router.On(func(context.Context, *store.Tx, events.Event[events.ProductCreated]) error {
			if !began.Swap(true) {
				<-wake
			}
			return errors.New("the shelf is away")
		}))}
	})
	t.Cleanup(func() { stop(t, a) })
	t.Cleanup(func() { close(wake) })
	product := func(n int) {
		status, _ := call(t, a, http.MethodPost, "/products", fmt.Sprintf(`{"product_id":"prod_%d","name":"Tea","category_id":"c","price":"1"}`, n))
		require.Equal(t, http.StatusCreated, status)
	}
	product(0)
	require.Eventually(t, func() bool {
		_, groups := call(t, a, http.MethodGet, "/dead-letters/groups?service=rewards", "")
		return len(groups["items"].([]any)) == 1
	}, 30*time.Second, 20*time.Millisecond, "the stuck handler is given up")
	for n := range 15 {
		product(n + 1)
	}
	require.Eventually(t, func() bool {
		_, status := call(t, a, http.MethodGet, "/status", "")
		return slices.ContainsFunc(status["degraded"].([]any), func(line any) bool {
			return strings.HasPrefix(line.(string), "rewards: the circuit is open since ") && strings.Contains(line.(string), "the shelf is away")
		})
	}, 30*time.Second, 20*time.Millisecond)
	response, err := http.Get(a.URL() + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	metrics, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(metrics), `viscount_circuit_open{service="rewards"} 1`)
	require.Contains(t, string(metrics), `viscount_circuit_open{service="orders"} 0`)
	require.Contains(t, string(metrics), `viscount_handlers_abandoned_total{service="rewards"} 1`)
}
