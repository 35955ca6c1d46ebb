package driver

import (
	"context"
	"fmt"
	"time"
)

// Admin keeps a transport's topics as contracts and configuration say: topics as code.
type Admin interface {
	// Plan compares what there is with what there should be. It changes nothing.
	Plan(ctx context.Context) ([]Change, error)
	// Apply makes the changes that it can make; it can be repeated.
	Apply(ctx context.Context, changes []Change) error
	// List shows what there is, of the topics that there should be.
	List(ctx context.Context) ([]TopicState, error)
	// Doctor looks for what no plan shows and a restart does not mend.
	Doctor(ctx context.Context) ([]Finding, error)
	Close() error
}

// Change is one difference between a topic and what it should be.
type Change struct {
	Topic  string `json:"topic"`
	Action string `json:"action"` // create, set, drift: what Apply cannot change without harm
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitzero"` // of a drift: what a person can do
}

// Drift is the action of a difference that Apply leaves to a person.
const Drift = "drift"

// Untold stands for the number of a topic's events where the transport does not tell it.
const Untold = -1

// TopicState is a topic as it is.
type TopicState struct {
	Topic       string   `json:"topic"`
	Exists      bool     `json:"exists"`
	Partitions  int      `json:"partitions,omitzero"`
	Replication int      `json:"replication,omitzero"`
	Retention   string   `json:"retention,omitzero"`
	Events      int64    `json:"events"` // about how many it holds, or Untold
	Consumers   []string `json:"consumers"`
}

// Finding is something that is wrong, and what mends it.
type Finding struct {
	Problem string                          `json:"problem"`
	Remedy  string                          `json:"remedy"`
	Mend    func(ctx context.Context) error `json:"-"` // nil: by hand
}

// RetentionText is a retention as people read it; 0 is without a limit.
func RetentionText(d time.Duration) string {
	switch d {
	case 0:
		return "unlimited"
	case 24 * time.Hour:
		return "1 day"
	}
	return fmt.Sprintf("%g days", d.Hours()/24)
}
