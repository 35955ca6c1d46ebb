package app_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/kafka/kafkatest"
)

// python runs testdata/kafka_clients.py with the clients that scripts/test-brokers.sh installed.
func python(t *testing.T, args ...string) []byte {
	t.Helper()
	run := exec.Command(os.Getenv("TEST_PYTHON"), append([]string{"testdata/kafka_clients.py"}, args...)...)
	var problem bytes.Buffer
	run.Stderr = &problem
	out, err := run.Output()
	require.NoError(t, err, "%s", problem.String())
	return out
}

// Programs in Python that know nothing of us publish to the kafka profile and consume from it: a record needs no headers, and
// all of us put a key on the same partition.
func TestPythonClients(t *testing.T) {
	if os.Getenv("TEST_PYTHON") == "" {
		t.Skip("TEST_PYTHON names no Python with Kafka clients: run make test-brokers")
	}
	brokers, _ := kafkatest.Brokers(t)
	kafkatest.Reset(t, brokers)
	a := startOn(t, brokers, "all")
	defer func() { require.NoError(t, a.Stop(t.Context())) }()
	list := strings.Join(brokers, ",")

	python(t, "publish", list)
	for _, client := range []string{"aiokafka", "confluent"} {
		for n := range 20 {
			product := fmt.Sprint(client, "_", n)
			require.Eventually(t, func() bool {
				response, err := http.Get(a.URL() + "/api/v1/inventory/" + product)
				require.NoError(t, err)
				defer response.Body.Close()
				return response.StatusCode == http.StatusOK
			}, 30*time.Second, 10*time.Millisecond, "inventory hears of %s", product)
			status, answer := post(t, a.URL()+"/api/v1/inventory/adjust", `{"product_id":"`+product+`","change":5,"adjustment_type":"restock"}`)
			require.Equal(t, http.StatusOK, status, answer)
		}
	}

	partitions := map[string]map[string]int{"product.created": {}, "inventory.adjusted": {}} // theirs and ours, by key
	seen := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(python(t, "consume", list, "40")))
	for lines.Scan() {
		var r struct {
			Client, Topic, Key, Type string
			Partition                int
			Headers                  map[string]string
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		seen[r.Client+" "+r.Type]++
		partitions[r.Type][r.Key] = r.Partition
		if r.Type == "inventory.adjusted" {
			require.Equal(t, "inventory.adjusted", r.Headers["event_type"])
			require.NotEmpty(t, r.Headers["event_id"])
			continue
		}
		require.Empty(t, r.Headers)
	}
	require.Equal(t, map[string]int{"aiokafka product.created": 40, "aiokafka inventory.adjusted": 40, "confluent product.created": 40, "confluent inventory.adjusted": 40}, seen)
	require.Equal(t, partitions["product.created"], partitions["inventory.adjusted"], "a key's partition, by their clients and by ours")
	used := map[int]bool{}
	for _, p := range partitions["product.created"] {
		used[p] = true
	}
	require.Greater(t, len(used), 1, "the keys are on more than one partition, else equal partitions say nothing")
}
