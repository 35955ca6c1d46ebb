//go:build soak

package app_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/simulator"
)

const (
	soakBatch     = 10_000 // orders between two recounts, which must come before retention prunes their traces
	soakRetention = 4 * time.Minute
	soakLimit     = 300 << 20 // bytes of resident memory
)

// TestSoak keeps a server busy with SOAK_ORDERS orders: its memory stays under the limit and flat, retention prunes, and every
// invariant holds.
func TestSoak(t *testing.T) {
	orders, err := strconv.Atoi(os.Getenv("SOAK_ORDERS"))
	require.NoError(t, err, "SOAK_ORDERS")
	p := newProcess(t, "VISCOUNT_STORE_INBOX_RETENTION="+soakRetention.String(), "VISCOUNT_STORE_OUTBOX_RETENTION="+soakRetention.String(), "VISCOUNT_STORE_PRUNE_INTERVAL=20s")
	p.start()
	memory := watchMemory(p.cmd.Process.Pid)
	for done := 0; done < orders; done += soakBatch {
		report, err := simulator.Run(t.Context(), simulator.Options{URL: p.url(), Orders: min(soakBatch, orders-done), Seed: uint64(done), SettleTimeout: time.Minute})
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
	require.NoError(t, p.stop(t.Context()))
}

// requirePruned checks that the oldest recorded order is not much older than retention allows.
func requirePruned(t *testing.T, p *process) {
	t.Helper()
	require.Eventually(t, func() bool {
		response, err := http.Get(p.url() + "/api/v1/events/recorded?type=order.created&after=0")
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
func watchMemory(pid int) *memoryWatch {
	w := &memoryWatch{end: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			if rss, err := resident(pid); err == nil {
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

// resident reads VmRSS of a process, in bytes.
func resident(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS of process %d", pid)
}

func mean(values []int64) (sum int64) {
	for _, v := range values {
		sum += v
	}
	return sum / int64(max(len(values), 1))
}
