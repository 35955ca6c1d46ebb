package faults

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/internal/servertest"
)

// stop ends a worker in order.
func stop(t *testing.T, s *servertest.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, s.Stop(ctx))
}

// killedAtFailpoints ends the worker at every point where something was done and something was not.
func killedAtFailpoints(t *testing.T) {
	kills, events := 0, int64(0)
	var slowest time.Duration
	for _, point := range []string{"commit.before", "commit.after", "publish.before", "publish.after", "ack.before", "ack.after", "deadletter.before", "deadletter.after"} {
		s := newWorker(t, "VISCOUNT_DEBUG_FAILPOINTS=true")
		n, bad := 0, 0
		for round := range pick(1, 20) {
			at := 10 + 7*round%11 // a start commits a few times before it is ready
			s.Start(fmt.Sprintf("VISCOUNT_FAILPOINTS=%s=kill@%d", point, at))
			for i := range 200 {
				if s.Ended() {
					break
				}
				customer := plain
				if i%3 == 2 { // not most of them: the circuit stays closed
					customer = hopeless
				}
				switch accepted := tryPublish(s, orderEvent(t, fmt.Sprintf("%s_%d_%d", customer, round, i), customer)); {
				case accepted && customer == plain:
					n++
				case accepted:
					bad++
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			err := s.Wait(ctx)
			cancel()
			require.ErrorContains(t, err, "killed", "%s was not reached", point)
			kills++
			began := time.Now()
			s.Start()
			settle(t, s, 30*time.Second)
			slowest = max(slowest, time.Since(began))
			status, err := s.Status()
			require.NoError(t, err)
			require.Zero(t, status.Retrying)
			events += status.Applied
			stop(t, s)
		}
		distinct, doubled := tally(t, s)
		require.GreaterOrEqual(t, distinct, int64(n), "%s: accepted orders were lost", point)
		require.Zero(t, doubled, point)
		all, events := lettersOf(t, s)
		require.GreaterOrEqual(t, events, bad, "%s: failed orders were lost", point)
		require.Equal(t, events, all, "%s: an order has two dead letters", point)
	}
	record(t, row{Fault: "kill at each failpoint", Profile: "worker", Events: events, Injections: kills, Recovery: slowest.Seconds(), Note: fmt.Sprintf("8 points × %d", kills/8)})
}

// tryPublish sends an event once and tells whether it was accepted.
func tryPublish(s *servertest.Server, event []byte) bool {
	response, err := http.Post(s.URL()+"/api/v1/events", "application/x-ndjson", strings.NewReader(string(event)))
	if err != nil {
		return false
	}
	defer response.Body.Close()
	return response.StatusCode == http.StatusAccepted
}

// deadLetterStoreDown: the handler fails for good and its failure cannot be stored for a while.
func deadLetterStoreDown(t *testing.T) {
	failures := pick(5, 12)
	s := newWorker(t, "VISCOUNT_DEBUG_FAILPOINTS=true")
	s.Start(fmt.Sprintf("VISCOUNT_FAILPOINTS=deadletter.before=error@1-%d", failures))
	began := time.Now()
	publish(t, s, orderEvent(t, "bad", hopeless))
	publishAll(t, s, "good", 100, 20)
	raised := 0.0
	var stored time.Time // the last time that it failed
	require.Eventually(t, func() bool {
		now, err := s.Metric(`viscount_store_failures_total{operation="dead_letter"`)
		require.NoError(t, err)
		if now > raised {
			raised, stored = now, time.Now()
		}
		status, err := s.Status()
		return err == nil && status.Dead == 1 && status.Applied == 100
	}, 2*time.Minute, 50*time.Millisecond)
	recovery, took := time.Since(stored), time.Since(began)
	require.EqualValues(t, failures, raised, "the metric")
	tries := float64(failures+len(attempts(t, s))) / took.Seconds()
	require.LessOrEqual(t, tries, 2.0, "attempts a second")
	stop(t, s)
	distinct, doubled := tally(t, s)
	record(t, row{Fault: "the dead-letter store is down", Profile: "worker", Events: 101, Injections: failures, Lost: 100 - distinct, Doubled: doubled, Recovery: recovery.Seconds(),
		Note: fmt.Sprintf("%.1f attempts a second, storing included; the metric counted %d", tries, int(raised))})
}

// terminated: SIGTERM while a thousand messages are in the chain.
func terminated(t *testing.T) {
	inFlight := int64(1000) // also in a smoke run
	s := newWorker(t, "VISCOUNT_ROUTER_KEYS_IN_FLIGHT=2000", "VISCOUNT_HTTP_MAX_BODY=16777216", "FAULTS_PAUSE=5ms")
	s.Start()
	total := 3 * int(inFlight)
	publishAll(t, s, "order", total, total)
	var had, owed int64
	require.Eventually(t, func() bool {
		status, err := s.Status()
		had, owed = status.InFlight, status.Applied+status.InFlight
		return err == nil && had >= inFlight
	}, 20*time.Second, 5*time.Millisecond, "there were never %d in flight", inFlight)
	began := time.Now()
	stop(t, s)
	took := time.Since(began)
	require.Less(t, took, 30*time.Second)
	require.Zero(t, parked(t, s), "counted as failed")
	finished, _ := tally(t, s)
	require.GreaterOrEqual(t, finished, owed-64, "what is in flight finishes; of a group at most that commits, both numbers may tell")
	require.Less(t, finished, int64(total), "the intake stops")
	began = time.Now()
	s.Start("FAULTS_PAUSE=0")
	settle(t, s, time.Minute)
	recovery := time.Since(began)
	stop(t, s)
	distinct, doubled := tally(t, s)
	require.Empty(t, letters(t, s))
	record(t, row{Fault: "SIGTERM at work", Profile: "worker", Events: int64(total), Injections: 1, Lost: int64(total) - distinct, Doubled: doubled, Recovery: recovery.Seconds(),
		Note: fmt.Sprintf("%d in flight, ended after %.1f s, 0 dead letters", had, took.Seconds())})

	s.Start("FAULTS_PAUSE=100ms", "VISCOUNT_DRAIN_TIMEOUT=2s") // handlers that outlast the drain are cut off soon after it
	publishAll(t, s, "slow", 500, 500)
	require.Eventually(t, func() bool { status, err := s.Status(); return err == nil && status.InFlight > 100 }, 20*time.Second, 5*time.Millisecond)
	began = time.Now()
	require.NoError(t, s.Signal(syscall.SIGTERM))
	short, end := context.WithTimeout(t.Context(), time.Minute)
	defer end()
	_ = s.Wait(short) // it may end with an error: not all was done
	require.NoError(t, short.Err())
	t.Logf("500 slow ones and a drain of 2 s: ended after %v", time.Since(began).Round(time.Millisecond))
	require.Less(t, time.Since(began), 20*time.Second)
	require.Zero(t, parked(t, s), "what was cut off counts as failed")

	s.Start("FAULTS_PAUSE=100ms") // a second signal ends at once
	require.Empty(t, letters(t, s))
	publishAll(t, s, "again", 500, 500)
	require.Eventually(t, func() bool { status, err := s.Status(); return err == nil && status.InFlight > 100 }, 20*time.Second, 5*time.Millisecond)
	began = time.Now()
	require.NoError(t, s.Signal(syscall.SIGTERM))
	time.Sleep(200 * time.Millisecond)
	require.NoError(t, s.Signal(syscall.SIGTERM))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.Error(t, s.Wait(ctx), "it does not end in order")
	require.Less(t, time.Since(began), 3*time.Second)
}

// storm publishes many events as fast as they are accepted: the first ones while the consumer is paused, so that they are more
// than memory holds.
func storm(t *testing.T) {
	n := pick(20_000, 1_000_000)
	s := newWorker(t, "VISCOUNT_ROUTER_WAITING_LIMIT=500")
	s.Start()
	began := time.Now()
	memory, most := int64(0), int64(0)
	const batch = 500
	switchTo(t, s, "pause")
	for from := 0; from < n; from += 40 * batch {
		publishAll(t, s, "storm_"+strconv.Itoa(from), min(40*batch, n-from), batch)
		rss, err := s.Memory()
		require.NoError(t, err)
		memory, most = max(memory, rss), max(most, handed(t, s))
		if from == 0 {
			switchTo(t, s, "resume")
		}
	}
	accepted := time.Since(began)
	settle(t, s, time.Duration(pick(2, 20))*time.Minute)
	took := time.Since(began)
	rss, err := s.Memory()
	require.NoError(t, err)
	memory = max(memory, rss)
	require.Less(t, memory, int64(400<<20))
	stop(t, s)
	distinct, doubled := tally(t, s)
	record(t, row{Fault: "a storm of events", Profile: "worker", Events: int64(n), Injections: n / batch, Lost: int64(n) - distinct, Doubled: doubled, Recovery: (took - accepted).Seconds(),
		Note: fmt.Sprintf("accepted %.0f/s, handled %.0f/s, %d in the outbox at most, at most %d MB resident", float64(n)/accepted.Seconds(), float64(n)/took.Seconds(), most, memory>>20)})
}

// poisonKey compares runs with and without one key whose events fail.
func poisonKey(t *testing.T) {
	pairs, rounds := pick(1, 7), pick(5, 20)
	var ratios []float64
	events := int64(0)
	for pair := range pairs {
		var rates [2]float64
		for i := range rates {
			with := (pair+i)%2 == 1 // interleaved, so that a machine that slows down favours neither
			s := newWorker(t, "VISCOUNT_ROUTER_RETRY_DELAYED=100ms,1s,10s")
			s.Start()
			others := int64(0) // what the thousandth key gets where it is healthy: both runs accept as much, in as many requests
			thousandth := func(round int) {
				if with {
					publish(t, s, orderEvent(t, "poisoned", poison))
				} else {
					publish(t, s, orderEvent(t, fmt.Sprintf("healthy_%d", round), plain))
					others++
				}
			}
			thousandth(-1)
			began := time.Now()
			for round := range rounds {
				publishAll(t, s, fmt.Sprintf("r%d", round), 999, 333)
				thousandth(round)
			}
			want := int64(999*rounds) + others
			require.Eventually(t, func() bool { status, err := s.Status(); return err == nil && status.Applied >= want }, 2*time.Minute, 5*time.Millisecond)
			rate := float64(want-others) / time.Since(began).Seconds()
			rates[map[bool]int{false: 0, true: 1}[with]] = rate
			events += want
			if with {
				require.NotEmpty(t, attempts(t, s))
			}
			s.Kill()
			distinct, doubled := tally(t, s)
			require.Equal(t, []int64{want, 0}, []int64{distinct, doubled})
		}
		ratios = append(ratios, rates[1]/rates[0])
	}
	slices.Sort(ratios)
	median := ratios[len(ratios)/2]
	if full() {
		require.GreaterOrEqual(t, median, 0.9, "%v", ratios)
	}
	record(t, row{Fault: "one poison key among 1,000", Profile: "worker", Events: events, Injections: pairs * (rounds + 1), Note: fmt.Sprintf("the other 999 keys at %.2f of a run without it (median of %d pairs)", median, pairs)})
}

// longPause: more arrives during a pause than may wait.
func longPause(t *testing.T) {
	limit, n := 500, pick(4000, 20_000)
	s := newWorker(t, "VISCOUNT_ROUTER_WAITING_LIMIT="+strconv.Itoa(limit), "VISCOUNT_ROUTER_KEYS_IN_FLIGHT=64")
	s.Start()
	switchTo(t, s, "pause")
	publishAll(t, s, "order", n/2, 500)
	require.Eventually(t, func() bool { status, err := s.Status(); return err == nil && status.Waiting >= int64(limit) }, 20*time.Second, 10*time.Millisecond)
	early, err := s.Memory()
	require.NoError(t, err)
	publishAll(t, s, "later", n/2, 500)
	time.Sleep(3 * time.Second)
	status, err := s.Status()
	require.NoError(t, err)
	require.LessOrEqual(t, status.Waiting, int64(limit+64+64), "intake has stopped")
	require.Zero(t, status.Applied)
	require.GreaterOrEqual(t, status.Pending, int64(n-2*limit), "the rest is in the outbox")
	late, err := s.Memory()
	require.NoError(t, err)
	require.Less(t, late, early+(64<<20), "memory is flat")
	held := status.Waiting
	began := time.Now()
	switchTo(t, s, "resume")
	settle(t, s, 2*time.Minute)
	took := time.Since(began)
	stop(t, s)
	distinct, doubled := tally(t, s)
	require.Empty(t, letters(t, s))
	record(t, row{Fault: "a pause longer than the waiting limit", Profile: "worker", Events: int64(n), Injections: 1, Lost: int64(n) - distinct, Doubled: doubled, Recovery: took.Seconds(),
		Note: fmt.Sprintf("limit %d, %d waited, %d MB then %d MB resident", limit, held, early>>20, late>>20)})
}

// switchTo pauses or resumes the worker's consumer.
func switchTo(t *testing.T, s *servertest.Server, what string) {
	t.Helper()
	response, err := http.Post(s.URL()+"/api/v1/consumers/worker/"+what, "application/json", strings.NewReader(`{"reason":"test"}`))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
}

// crashLoop: 500 events in hand when the process ends, and one of them ends it each time.
func crashLoop(t *testing.T) {
	s := newWorker(t, "VISCOUNT_ROUTER_KEYS_IN_FLIGHT=600")
	s.Start("FAULTS_PAUSE=2ms")
	var batch [][]byte
	for i := range 1000 {
		customer, order := plain, fmt.Sprintf("order_%d", i)
		if i == 0 {
			customer, order = killer, "killer"
		}
		batch = append(batch, orderEvent(t, order, customer))
	}
	publish(t, s, batch...)
	crashes, inHand := 0, int64(0)
	crashed := time.Now()
	for ; crashes < 12; crashes++ {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		settled := make(chan struct{})
		go func() {
			defer close(settled)
			for ctx.Err() == nil {
				if status, err := s.Status(); err == nil && status.Dead == 1 && status.Applied == 999 {
					cancel()
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		err := s.Wait(ctx)
		cancel()
		<-settled
		if context.Cause(ctx) != nil && err != nil && strings.Contains(err.Error(), "context") {
			break
		}
		require.ErrorContains(t, err, "killed")
		if crashes == 0 {
			ended, _ := tally(t, s)
			inHand = min(600, 1000-ended)
			require.GreaterOrEqual(t, inHand, int64(500))
		}
		crashed = time.Now()
		s.TryStart()
	}
	recovery := time.Since(crashed)
	stop(t, s)
	require.Equal(t, []string{"crash_loop"}, letters(t, s))
	distinct, doubled := tally(t, s)
	record(t, row{Fault: "an event that kills its process", Profile: "worker", Events: 1000, Injections: crashes, Lost: 999 - distinct, Doubled: doubled, Recovery: recovery.Seconds(),
		Note: fmt.Sprintf("%d in hand; crash_loop after %d crashes, the other 999 applied", inHand, crashes)})
}
