package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/simulator"
	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// node starts, stops or kills one Kafka node of the cluster that scripts/test-cluster.sh started.
func node(t *testing.T, action string, n int) {
	t.Helper()
	script, err := filepath.Abs("../scripts/brokers.sh")
	require.NoError(t, err)
	out, err := exec.Command(script, "node-"+action, strconv.Itoa(n)).CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("node-%s %d", action, n)
}

// TestCluster loses a node of three to kill -9 under load, gets it back, and restarts all three one after the other:
// everything accepted has its effect, once.
func TestCluster(t *testing.T) {
	if os.Getenv("TEST_CLUSTER") == "" {
		t.Skip("run make test-cluster")
	}
	brokers := kafkatest.Named(t)
	require.Len(t, brokers, 3)
	kafkatest.Reset(t, brokers)
	env := onPostgres(t)
	env["TRANSPORT_KAFKA_BROKERS"], env["TRANSPORT_KAFKA_TLS_ENABLED"] = strings.Join(brokers, ","), "false"
	env["TRANSPORT_KAFKA_TOPICS_PROVISION"], env["TRANSPORT_KAFKA_TOPICS_REPLICATION"] = "true", "3"
	p := platform(t, "kafka", env, 0)[0]
	over := make(chan struct{})
	var shopping errgroup.Group
	var orders, duplicates int64
	shopping.Go(func() error { // crowd after crowd, since a busy machine restarts its nodes slowly
		for seed := uint64(7); ; seed++ {
			report, err := simulator.Run(t.Context(), simulator.Options{URL: p.URL(), Orders: 1000, Rate: 25, Seed: seed, Products: 60, SettleTimeout: 2 * time.Minute})
			if err != nil {
				return err
			}
			for _, i := range report.Invariants {
				assert.True(t, i.Held, "%s: %s", i.Name, i.Detail)
			}
			orders, duplicates = orders+1000, duplicates+report.DuplicatesAbsorbed
			select {
			case <-over:
				return nil
			default:
			}
		}
	})
	p.waitForWork(t, 5*time.Second, 1)
	node(t, "kill", 2)
	p.waitForWork(t, 8*time.Second, 1)
	node(t, "start", 2)
	p.waitForWork(t, 8*time.Second, 1)
	for n := 1; n <= 3; n++ {
		node(t, "stop", n)
		node(t, "start", n)
		p.waitForWork(t, 6*time.Second, 1)
	}
	close(over)
	require.NoError(t, shopping.Wait())
	t.Logf("%d orders, 1 kill, 3 restarts, 0 lost, 0 doubled, %d duplicates absorbed", orders, duplicates)
}
