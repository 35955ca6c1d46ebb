package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/simulator"
)

// killedAtRandom ends the whole platform like a power cut while it works.
func killedAtRandom(t *testing.T) {
	orders, kills := pick(400, 10_000), pick(3, 50)
	for _, p := range profiles(t, "local", "sql", "kafka") {
		t.Run(p.name, func(t *testing.T) {
			s := p.serve(t)
			var slowest time.Duration
			done := 0
			report := crowd(t, s, simulator.Options{Orders: orders, Rate: float64(pick(100, 0)), Seed: 7}, func() { // a full run: as fast as it can
				for range kills {
					busy(t, s, time.Duration(300+rand.IntN(700))*time.Millisecond, 10)
					s.Kill()
					began := time.Now()
					s.Start()
					slowest = max(slowest, time.Since(began))
					done++
				}
			})
			require.Positive(t, report.DuplicatesAbsorbed, "no event was delivered again: the kills hit nothing")
			record(t, row{Fault: "kill -9 of the service at random", Profile: p.name, Events: handled(t, s), Injections: done, Recovery: slowest.Seconds(),
				Note: fmt.Sprintf("%d orders at %s with the kills, %d duplicates absorbed, 0 dead letters; recovery: until ready", orders, orderRate(report.OrdersPerSecond), report.DuplicatesAbsorbed)})
		})
	}
}

// serversKilled ends the database, or the broker, at half of the capacity at most.
func serversKilled(t *testing.T) {
	for _, p := range profiles(t, "sql", "kafka") {
		t.Run(p.name, func(t *testing.T) {
			s := p.serve(t)
			most := capacity(t, s)
			rate := min(most/2, 60)
			kills, what := pick(2, 20), "PostgreSQL"
			cut := func() { p.postgres.Kill(); p.postgres.Start() }
			if p.kafka != nil {
				what = "Kafka"
				cut = func() { p.kafka.run("node-kill"); p.kafka.restart() }
			}
			var slowest time.Duration
			orders := int(rate * float64(kills) * pace(what))
			crowd(t, s, simulator.Options{Orders: orders, Rate: rate, Seed: 8}, func() {
				for range kills {
					busy(t, s, 500*time.Millisecond, 1)
					cut()
					slowest = max(slowest, caughtUp(t, s, 30*time.Second))
				}
			})
			record(t, row{Fault: "kill -9 of " + what, Profile: p.name, Events: handled(t, s), Injections: kills, Recovery: slowest.Seconds(),
				Note: fmt.Sprintf("%d orders at %s of %s", orders, orderRate(rate), orderRate(most))})
		})
	}
}

// pace is how many seconds a kill takes, about.
func pace(what string) float64 {
	if what == "Kafka" {
		return 12
	}
	return 4
}

// unreachableBroker cuts the transport off while the API goes on accepting.
func unreachableBroker(t *testing.T) {
	cut := time.Duration(pick(5, 60)) * time.Second
	p := profiles(t, "sql")[0]
	proxy := proxied(t, "transport", hostOf(t, p.postgres.URL))
	s := p.serve(t, "VISCOUNT_TRANSPORT_SQL_URL="+through(t, p.postgres.URL, proxy.Listen))
	most := capacity(t, s)
	rate := min(most/2, 60)
	var recovery time.Duration
	accepted := int64(0)
	crowd(t, s, simulator.Options{Orders: int(rate * (cut.Seconds() + 5)), Rate: rate, Seed: 9}, func() {
		busy(t, s, time.Second, 1)
		proxy.Stop()
		before, err := s.Status()
		require.NoError(t, err)
		time.Sleep(cut)
		after, err := s.Status()
		require.NoError(t, err)
		accepted = after.Pending - before.Pending
		require.NoError(t, proxy.Start())
		recovery = caughtUp(t, s, 2*cut)
	})
	require.Positive(t, accepted, "the API accepts while the broker is away")
	record(t, row{Fault: "the broker is unreachable", Profile: "sql", Events: handled(t, s), Injections: 1, Recovery: recovery.Seconds(),
		Note: fmt.Sprintf("%s at %s of %s; %d events accepted meanwhile", cut, orderRate(rate), orderRate(most), accepted)})
}

// fullDisk lets commits fail as a full disk does, and space return.
func fullDisk(t *testing.T) {
	failing := pick(40, 400) // commits; who failed tries again once a second, so that they last
	s := profile{name: "local"}.serve(t, "VISCOUNT_DEBUG_FAILPOINTS=true", fmt.Sprintf("VISCOUNT_FAILPOINTS=commit.before=enospc@300-%d", 300+failing-1))
	hits, dead := 0.0, false
	orders := pick(200, 2000)
	began := time.Now()
	report := crowd(t, s, simulator.Options{Orders: orders, Rate: 100, Seed: 10}, func() {
		require.Eventually(t, func() bool {
			var err error
			hits, err = s.Metric("viscount_failpoint_hits_total")
			return err == nil && hits >= float64(failing)
		}, 5*time.Minute, 50*time.Millisecond)
		dead = s.Ended()
	})
	require.False(t, dead)
	failures, err := s.Metric(`viscount_store_failures_total{operation="commit"`)
	require.NoError(t, err)
	require.GreaterOrEqual(t, failures, float64(failing))
	_ = report
	record(t, row{Fault: "the disk is full", Profile: "local", Events: handled(t, s), Injections: int(hits), Recovery: time.Since(began).Seconds(),
		Note: fmt.Sprintf("%d orders; commits failed with ENOSPC; recovery is the whole run", orders)})
}

// lastItem lets two instances race for the last item.
func lastItem(t *testing.T) {
	p := profiles(t, "sql")[0]
	instances := []string{p.serve(t).URL(), p.serve(t).URL()}
	runs := pick(20, 1000)
	for n := range runs {
		product := fmt.Sprintf("last_%d", n)
		require.Equal(t, http.StatusCreated, post(t, instances[0]+"/api/v1/products", fmt.Sprintf(`{"product_id":%q,"name":"n","category_id":"c","price":"1.00"}`, product)))
		require.Eventually(t, func() bool {
			return post(t, instances[n%2]+"/api/v1/inventory/adjust", fmt.Sprintf(`{"product_id":%q,"change":1,"adjustment_type":"restock"}`, product)) == http.StatusOK
		}, 10*time.Second, 10*time.Millisecond)
		var won, refused atomic.Int32
		var race sync.WaitGroup
		start := make(chan struct{})
		for _, url := range instances {
			race.Go(func() {
				<-start
				switch post(t, url+"/api/v1/inventory/reserve", fmt.Sprintf(`{"product_id":%q,"quantity":1}`, product)) {
				case http.StatusCreated:
					won.Add(1)
				case http.StatusConflict:
					refused.Add(1)
				}
			})
		}
		close(start)
		race.Wait()
		require.Equal(t, []int32{1, 1}, []int32{won.Load(), refused.Load()}, "one winner")
	}
	record(t, row{Fault: "the last item, two instances racing", Profile: "sql", Events: int64(3 * runs), Injections: runs, Note: "one winner in every race"})
}

func post(t *testing.T, url, body string) int {
	response, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}
