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

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/internal/servertest"
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
				each := orders * eventsPerOrder / (kills + 1) // so that the kills are spread over the orders
				for range kills {
					works(t, s, int64(1+rand.IntN(each)))
					busy(t, s, 0, 10)
					s.Kill()
					began := time.Now()
					s.Start()
					slowest = max(slowest, time.Since(began))
					done++
				}
			})
			require.Positive(t, report.DuplicatesAbsorbed, "no event was delivered again: the kills hit nothing")
			record(t, row{Fault: "kill -9 of the service at random", Profile: p.name, Events: handled(t, s), Injections: done, Recovery: slowest.Seconds(),
				Note: fmt.Sprintf("%d orders at %s with the kills, %d duplicates absorbed, 0 dead letters", orders, orderRate(report.OrdersPerSecond), report.DuplicatesAbsorbed)})
		})
	}
}

// eventsPerOrder is how many events an order makes its consumers handle, at least.
const eventsPerOrder = 25

// serversKilled ends the database, or the broker, at half of the capacity at most.
func serversKilled(t *testing.T) {
	for _, p := range profiles(t, "sql", "kafka") {
		t.Run(p.name, func(t *testing.T) {
			s := p.serve(t)
			most := capacity(t, s)
			rate := min(most/float64(pick(3, 2)), 60) // in smoke something else may run on the machine
			kills, what := pick(2, 20), "PostgreSQL"
			cut := func() {
				p.postgres.Kill()
				time.Sleep(5 * time.Second) // it is back at once otherwise, and there is nothing to catch up with
				p.postgres.Start()
			}
			if p.kafka != nil {
				what = "Kafka"
				cut = func() { p.kafka.run("node-kill"); p.kafka.restart() }
			}
			var slowest time.Duration
			orders, done := 0, 0
			for done < kills { // a machine that is busy with other things kills slower: then more orders come
				some := int(rate * float64(pick(25, 60)))
				orders += some
				crowd(t, s, simulator.Options{Orders: some, Rate: rate, Seed: uint64(8 + done)}, func() {
					for until := time.Now().Add(time.Duration(pick(20, 45)) * time.Second); done < kills && time.Now().Before(until); done++ {
						busy(t, s, 500*time.Millisecond, 1)
						cut()
						slowest = max(slowest, caughtUp(t, s, 30*time.Second))
					}
				})
			}
			record(t, row{Fault: "kill -9 of " + what, Profile: p.name, Events: handled(t, s), Injections: kills, Recovery: slowest.Seconds(),
				Note: fmt.Sprintf("%d orders at %s of %s", orders, orderRate(rate), orderRate(most))})
		})
	}
}

// unreachableBroker cuts the transport off while the API goes on accepting.
func unreachableBroker(t *testing.T) {
	for _, p := range profiles(t, "sql", "kafka through a proxy") {
		t.Run(p.name, func(t *testing.T) { brokerCut(t, p) })
	}
}

func brokerCut(t *testing.T, p profile) {
	cut := time.Duration(pick(12, 60)) * time.Second // longer than the leases and sessions of ten seconds
	var proxy *toxiproxy.Proxy
	var env []string
	if p.kafka != nil {
		proxy = p.kafka.proxy
	} else {
		proxy = proxied(t, "transport", hostOf(t, p.postgres.URL))
		env = append(env, "VISCOUNT_TRANSPORT_SQL_URL="+through(t, p.postgres.URL, proxy.Listen))
	}
	s := p.serve(t, env...)
	most := capacity(t, s)
	rate := min(most/2, 60)
	var recovery time.Duration
	accepted, offers := int64(0), 0
	crowd(t, s, simulator.Options{Orders: int(rate * (cut.Seconds() + 10)), Rate: rate, Seed: 9}, func() {
		busy(t, s, time.Second, 1)
		before := handed(t, s)
		proxy.Stop()
		for began := time.Now(); time.Since(began) < cut; offers++ {
			require.True(t, offered(t, s, offers), "the API accepts")
			time.Sleep(time.Second)
		}
		degraded, err := s.Degraded()
		require.NoError(t, err)
		for path, lines := range degraded {
			require.Contains(t, strings.Join(lines, "\n"), "transport "+p.name+": ", path)
		}
		accepted = handed(t, s) - before
		require.NoError(t, proxy.Start())
		recovery = caughtUp(t, s, 2*cut)
		require.Eventually(t, func() bool {
			degraded, err := s.Degraded()
			return err == nil && len(degraded["/readyz"])+len(degraded["/api/v1/status"]) == 0
		}, 30*time.Second, 100*time.Millisecond, "it says that it is degraded when it no longer is")
	})
	require.Positive(t, accepted, "the API accepts while the broker is away")
	record(t, row{Fault: "the broker is unreachable", Profile: p.name, Events: handled(t, s), Injections: 1, Recovery: recovery.Seconds(),
		Note: fmt.Sprintf("%s at %s of %s; %d events accepted meanwhile, none of %d requests refused", cut, orderRate(rate), orderRate(most), accepted, offers)})
}

// fullDisk lets commits fail as a full disk does, and space return.
func fullDisk(t *testing.T) {
	full := time.Duration(pick(10, 60)) * time.Second // from the 800th commit on: a start makes 300
	s := profile{name: "local"}.serve(t, "VISCOUNT_DEBUG_FAILPOINTS=true", fmt.Sprintf("VISCOUNT_FAILPOINTS=commit.before=enospc@800+%s", full))
	hits := func() float64 {
		n, err := s.Metric("viscount_failpoint_hits_total")
		require.NoError(t, err)
		return n
	}
	orders, refused := pick(200, 2000), 0
	var recovery time.Duration
	held := int64(0) // events that were accepted before
	crowd(t, s, simulator.Options{Orders: orders, Rate: 100, Seed: 10}, func() {
		require.Eventually(t, func() bool { return hits() > 0 }, time.Minute, 10*time.Millisecond)
		busy(t, s, 0, 1)
		began := time.Now()
		for ; !offered(t, s, refused); refused++ {
			require.Less(t, time.Since(began), full+30*time.Second, "space has returned")
			status, err := s.Status()
			require.NoError(t, err)
			held = max(held, status.Pending+status.Waiting+status.Retrying)
			time.Sleep(100 * time.Millisecond) // not to be the load itself
		}
		recovery = caughtUp(t, s, time.Minute)
	})
	require.Positive(t, refused, "nobody asked for anything meanwhile")
	for n := range refused {
		require.Equal(t, http.StatusNotFound, get(t, fmt.Sprintf("%s/api/v1/products/full_%d", s.URL(), n)), "a refused product was stored")
	}
	require.Equal(t, http.StatusOK, get(t, fmt.Sprintf("%s/api/v1/products/full_%d", s.URL(), refused)))
	failures, err := s.Metric(`viscount_store_failures_total{operation="commit"`)
	require.NoError(t, err)
	require.GreaterOrEqual(t, failures, hits())
	record(t, row{Fault: "the disk is full", Profile: "local", Events: handled(t, s), Injections: int(hits()), Recovery: recovery.Seconds(),
		Note: fmt.Sprintf("%d orders; commits failed with ENOSPC for %s; meanwhile %d events were in hand, and %d requests refused as unavailable with nothing of them stored", orders, full, held, refused)})
}

// offered asks for a product of its own, and tells whether it was accepted; if not, the answer says so cleanly.
func offered(t *testing.T, s *servertest.Server, n int) bool {
	t.Helper()
	response, err := http.Post(s.URL()+"/api/v1/products", "application/json", strings.NewReader(fmt.Sprintf(`{"product_id":"full_%d","name":"n","category_id":"c","price":"1.00"}`, n)))
	require.NoError(t, err)
	defer response.Body.Close()
	if response.StatusCode == http.StatusCreated {
		return true
	}
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
	var problem struct {
		Code string `json:"code"`
	}
	require.NoError(t, json.UnmarshalRead(response.Body, &problem))
	require.Equal(t, "unavailable", problem.Code)
	return false
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
	return statusOf(t)(http.Post(url, "application/json", strings.NewReader(body)))
}

func get(t *testing.T, url string) int {
	return statusOf(t)(http.Get(url))
}

func statusOf(t *testing.T) func(*http.Response, error) int {
	return func(response *http.Response, err error) int {
		if err != nil {
			t.Error(err)
			return 0
		}
		defer response.Body.Close()
		return response.StatusCode
	}
}
