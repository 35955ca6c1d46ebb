// Package kafkatest gives tests a Kafka cluster: the one that TEST_KAFKA names, else an in-process stand-in.
package kafkatest

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Brokers are where the cluster answers, and whether it is a real one. With REQUIRE_BROKERS it must be.
func Brokers(t testing.TB) (addresses []string, real bool) {
	t.Helper()
	if addresses = Named(t); addresses != nil {
		return addresses, true
	}
	addresses, _ = Fake(t)
	return addresses, false
}

// Fake starts a stand-in; stop ends it before the test does.
func Fake(t testing.TB) (addresses []string, stop func()) {
	t.Helper()
	fake := Cluster(t)
	return fake.ListenAddrs(), fake.Close
}

// Cluster starts a stand-in whose answers a test can change.
func Cluster(t testing.TB) *kfake.Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake
}

// Named are the brokers that TEST_KAFKA names; nil if it names none.
func Named(t testing.TB) []string {
	t.Helper()
	named := os.Getenv("TEST_KAFKA")
	if named == "" && os.Getenv("REQUIRE_BROKERS") != "" {
		t.Fatal("TEST_KAFKA names no broker: run make test-brokers")
	}
	if named == "" {
		return nil
	}
	return strings.Split(named, ",")
}

// Reset deletes every topic, so that a test finds the cluster as if it were new. The cluster is the tests' own.
func Reset(t testing.TB, brokers []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	admin := kadm.NewClient(client)
	for {
		topics, err := admin.ListTopics(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(topics) == 0 {
			return
		}
		if _, err := admin.DeleteTopics(ctx, topics.Names()...); err != nil {
			t.Fatal(err)
		}
	}
}
