//go:build soak

package app_test

import (
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/simulator"
)

const (
	soakBatch     = 5_000 // orders between two recounts, which must come before retention prunes their traces
	soakRetention = 4 * time.Minute
	soakLimit     = 300 << 20 // bytes of resident memory
)

// TestSoak keeps a server busy with SOAK_ORDERS orders: its memory stays under the limit and flat, retention prunes, and every
// invariant holds.
func TestSoak(t *testing.T) {
	orders, err := strconv.Atoi(os.Getenv("SOAK_ORDERS"))
	require.NoError(t, err, "SOAK_ORDERS")
	p := newProcess(t, "VISCOUNT_STORE_INBOX_RETENTION="+soakRetention.String(), "VISCOUNT_STORE_OUTBOX_RETENTION="+soakRetention.String(), "VISCOUNT_STORE_PRUNE_INTERVAL=20s")
	p.Start()
	memory := watchMemory(p)
	for done := 0; done < orders; done += soakBatch {
		report, err := simulator.Run(t.Context(), simulator.Options{URL: p.URL(), Orders: min(soakBatch, orders-done), Seed: uint64(done), SettleTimeout: time.Minute})
		require.NoError(t, err)
		for _, i := range report.Invariants {
			require.True(t, i.Held, "%s: %s", i.Name, i.Detail)
		}
		t.Logf("%d orders: %.0f orders/s, p95 %.0f ms, %d MB", done+report.Orders, report.OrdersPerSecond, report.Latency.P95, memory.last()>>20)
	}
	samples := memory.stop()
	peak, quarter := slices.Max(samples), len(samples)/4
	early, late := mean(samples[quarter:2*quarter]), mean(samples[3*quarter:])
	t.Logf("%d samples of resident memory: peak %d MB, second quarter %d MB, last quarter %d MB", len(samples), peak>>20, early>>20, late>>20)
	require.Less(t, peak, int64(soakLimit), "peak resident memory")
	require.Less(t, late, early+early/5, "memory grows")
	requirePruned(t, p)
	require.NoError(t, p.Stop(t.Context()))
}

// requirePruned checks that the oldest recorded order is not much older than retention allows.
func requirePruned(t *testing.T, p *process) {
	t.Helper()
	require.Eventually(t, func() bool {
		response, err := http.Get(p.URL() + "/api/v1/events/recorded?type=order.created&after=0")
		require.NoError(t, err)
		defer response.Body.Close()
		var page struct {
			Items []struct {
				Timestamp time.Time `json:"timestamp"`
			} `json:"items"`
		}
		require.NoError(t, json.UnmarshalRead(response.Body, &page))
		return len(page.Items) == 0 || time.Since(page.Items[0].Timestamp) < soakRetention+time.Minute
	}, 3*time.Minute, time.Second, "recorded orders are older than their retention")
}

type memoryWatch struct {
	mu      sync.Mutex
	samples []int64
	end     chan struct{}
	done    chan struct{}
}

// watchMemory samples a process's resident memory once a second.
func watchMemory(p *process) *memoryWatch {
	w := &memoryWatch{end: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			if rss, err := p.Memory(); err == nil {
				w.mu.Lock()
				w.samples = append(w.samples, rss)
				w.mu.Unlock()
			}
			select {
			case <-w.end:
				return
			case <-tick.C:
			}
		}
	}()
	return w
}

func (w *memoryWatch) last() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.samples[len(w.samples)-1]
}

func (w *memoryWatch) stop() []int64 {
	close(w.end)
	<-w.done
	return w.samples
}

func mean(values []int64) (sum int64) {
	for _, v := range values {
		sum += v
	}
	return sum / int64(max(len(values), 1))
}
