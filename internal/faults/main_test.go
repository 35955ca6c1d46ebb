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
	if full() { // the report is whole or it fails
		_ = os.Setenv("REQUIRE_BROKERS", "1") // the name is a valid one
	}
	if os.Getenv("FAULTS") != "" {
		commit = findCommit()
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

// suite is a row per fault, and what it was seen red without.
var suite []fault

type fault struct {
	name string
	run  func(t *testing.T)
	red  string
}

func init() { // the report names the suite
	suite = []fault{
		{"kill -9 of the service at random", killedAtRandom, "the inbox (every arrival is taken for a new one): pieces shipped four times, refunds counted twice, orders that never settle"},
		{"kill at each failpoint", killedAtFailpoints, "the inbox (every arrival is taken for a new one): a failed event that comes again waits behind its own dead letter"},
		{"kill -9 of the database or the broker", serversKilled, "the relay's next term after a lost session (PostgreSQL): nothing is published any more"},
		{"the reply to a commit is lost", lostReplies, "the inbox (every arrival is taken for a new one): pieces shipped twice"},
		{"the broker is unreachable", unreachableBroker, "reading keys again whose leases ran out (sql): consumers stay deaf"},
		{"duplicates and reordering", duplicatesAndReordering, "the inbox (every arrival is taken for a new one): a refund counted twice"},
		{"the handler is down for five minutes", handlerDown, "the circuit (it never opens): 97 attempts within half a second"},
		{"the dead-letter store is down", deadLetterStoreDown, "the repetition of what the store refused (the message is acknowledged instead): the failed event is nowhere"},
		{"a message over the broker's limit", overTheLimit, "the relay's pause after a refusal: 1,590 attempts a second"},
		{"the disk is full", fullDisk, "the refusal of what was not committed (it is taken for accepted): an accepted order is not found"},
		{"SIGTERM at work", terminated, "the wait for work in flight (the transport's and the router's): the process gives up at once, with an error"},
		{"a storm of events", storm, "the relay's reading of the table: what outgrew its memory is never published"},
		{"one poison key among 1,000", poisonKey, "the key in the question whether an event must wait: all keys wait behind the failed one"},
		{"a pause longer than the waiting limit", longPause, "the waiting limit: all 4,000 are stored as waiting, where 628 may be"},
		{"the last item, two instances racing", lastItem, "the lock of a product's stock: both win"},
		{"an event that kills its process", crashLoop, "the limit of crashes: the process ends a twelfth time"},
	}
}

// TestFaults runs the suite.
func TestFaults(t *testing.T) {
	if os.Getenv("FAULTS") == "" {
		t.Skip("make test-faults runs it")
	}
	t.Cleanup(func() { printRows(t) })
	for _, f := range suite {
		t.Run(f.name, f.run)
	}
}
