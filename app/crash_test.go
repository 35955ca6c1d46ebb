package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/simulator"
)

// work is what a server has in hand: events committed and not taken by every consumer, and messages in the chain.
func (p *process) work() (n int64, err error) {
	status, err := p.Status()
	return status.Pending + status.InFlight, err
}

// TestKilledServersLoseAndDoubleNothing ends the server like a power cut while it works, five times in the middle of 2,000
// orders. Nothing accepted may be lost, nothing may happen twice, and redelivered events must have been absorbed.
func TestKilledServersLoseAndDoubleNothing(t *testing.T) {
	const orders, kills = 2000, 5
	p := newProcess(t, environment("local", telling(t))...)
	p.Start()
	type outcome struct {
		report *simulator.Report
		err    error
	}
	ended := make(chan outcome, 1)
	go func() {
		report, err := simulator.Run(t.Context(), simulator.Options{URL: p.URL(), Orders: orders, Rate: 250, Seed: 7, Products: 60, SettleTimeout: time.Minute})
		ended <- outcome{report, err}
	}()
	for kill := range kills {
		inHand := p.waitForWork(t, time.Second, 20)
		p.Kill()
		t.Logf("kill %d with %d events in hand", kill+1, inHand)
		p.Start()
	}
	select {
	case o := <-ended:
		require.NoError(t, o.err)
		for _, i := range o.report.Invariants {
			assert.True(t, i.Held, "%s: %s", i.Name, i.Detail)
			assert.Positive(t, i.Checked, "%s: %s", i.Name, i.Detail)
		}
		require.Positive(t, o.report.DuplicatesAbsorbed, "no event was delivered again: the kills hit nothing")
		if t.Failed() {
			return
		}
		t.Logf("%d orders, %d kills, 0 lost, 0 doubled, %d duplicates absorbed, outcomes %+v", orders, kills, o.report.DuplicatesAbsorbed, o.report.Outcomes)
	case <-time.After(4 * time.Minute):
		t.Fatal("the orders did not end within 4 minutes")
	}
	require.NoError(t, p.Stop(t.Context()))
}

// waitForWork lets the server run for a while and then returns at a moment when it has at least n events in hand.
func (p *process) waitForWork(t *testing.T, run time.Duration, n int64) (inHand int64) {
	t.Helper()
	began := time.Now()
	require.Eventually(t, func() bool {
		var err error
		inHand, err = p.work()
		return err == nil && inHand >= n && time.Since(began) > run
	}, time.Minute, 2*time.Millisecond, "the server never had %d events in hand", n)
	return inHand
}
