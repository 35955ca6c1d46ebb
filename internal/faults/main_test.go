package faults

import (
	"os"
	"testing"

	"github.com/first-viscount/viscount/internal/servertest"
	"github.com/first-viscount/viscount/store/postgrestest"
)

func TestMain(m *testing.M) {
	if os.Getenv("FAULTS_WORKER") != "" {
		work()
		return
	}
	code := m.Run()
	if os.Getenv("FAULTS") != "" {
		servertest.Clean()
		postgrestest.Stop()
	}
	os.Exit(code)
}

// full tells whether the figures of the report are wanted, not smoke.
func full() bool { return os.Getenv("FAULTS") == "full" }

// pick is a count: n in a full run, few in a smoke run.
func pick(few, n int) int {
	if full() {
		return n
	}
	return few
}

// TestFaults is the suite, one row per fault and profile.
func TestFaults(t *testing.T) {
	if os.Getenv("FAULTS") == "" {
		t.Skip("make test-faults runs it")
	}
	t.Cleanup(func() { printRows(t) })
	for _, row := range []struct {
		name string
		run  func(t *testing.T)
	}{
		{"kill -9 of the service at random", killedAtRandom},
		{"kill at each failpoint", killedAtFailpoints},
		{"kill -9 of the database or the broker", serversKilled},
		{"the reply to a commit is lost", lostReplies},
		{"the broker is unreachable", unreachableBroker},
		{"duplicates and reordering", duplicatesAndReordering},
		{"the handler is down for five minutes", handlerDown},
		{"the dead-letter store is down", deadLetterStoreDown},
		{"a message over the broker's limit", overTheLimit},
		{"the disk is full", fullDisk},
		{"SIGTERM at work", terminated},
		{"a storm of events", storm},
		{"one poison key among 1,000", poisonKey},
		{"a pause longer than the waiting limit", longPause},
		{"the last item, two instances racing", lastItem},
		{"an event that kills its process", crashLoop},
	} {
		t.Run(row.name, row.run)
	}
}
