package contracts_test

import (
	"errors"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
)

var (
	documents = flag.Int("documents", 4_000, "how many mutated documents Go and the schemas judge")
	seed      = flag.Uint64("seed", 0, "of the mutations; 0 takes the time")
)

// TestGoAndSchemasAgree has Go's Decode and the validator judge the same mutated documents. What only Go can see
// (Problem.BeyondSchema) is no disagreement.
func TestGoAndSchemasAgree(t *testing.T) {
	start := *seed
	if start == 0 {
		start = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d (repeat with -seed %d -documents %d)", start, start, *documents)
	const workers = 4
	var tally struct{ accepted, refused, beyond atomic.Int64 }
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			j := newJudge(t)
			m := newMutator(start + uint64(worker))
			for range *documents / workers {
				raw := m.next()
				switch verdict := j.compare(raw); verdict {
				case accepted:
					tally.accepted.Add(1)
				case refused:
					tally.refused.Add(1)
				case beyond:
					tally.beyond.Add(1)
				default:
					t.Errorf("%s:\n%s", verdict, raw)
					return
				}
			}
		})
	}
	group.Wait()
	all := tally.accepted.Load() + tally.refused.Load() + tally.beyond.Load()
	t.Logf("%d documents: %d accepted by both (%.0f %%), %d refused by both, %d refused by Go for what no schema states", all,
		tally.accepted.Load(), 100*float64(tally.accepted.Load())/float64(all), tally.refused.Load(), tally.beyond.Load())
	require.GreaterOrEqual(t, 10*tally.accepted.Load(), 3*all, "at least 30 %% must be valid, or the test says little")
	require.GreaterOrEqual(t, 10*tally.refused.Load(), all, "at least 10 %% must be invalid, or the test says little")
}

const (
	accepted = "accepted by both"
	refused  = "refused by both"
	beyond   = "refused by Go for what no schema states"
)

// judge asks both.
type judge struct {
	catalogue *events.Catalogue
	schemas   map[string]*jsonschema.Schema
}

func newJudge(t testing.TB) *judge {
	c := events.Platform()
	return &judge{catalogue: c, schemas: compileAll(t, c)}
}

// compare gives the common verdict, or the disagreement in words.
func (j *judge) compare(raw []byte) string {
	_, err := j.catalogue.Decode(raw)
	paths, syntax := refusals(j.schemaFor(raw), raw)
	var bad *events.Invalid
	switch {
	case !errors.As(err, &bad) && syntax == nil && len(paths) == 0:
		return accepted
	case bad == nil:
		return fmt.Sprintf("Go accepts it, the schema refuses %v (%v)", paths, syntax)
	case onlyBeyond(bad):
		return beyond
	case syntax == nil && len(paths) == 0:
		return "the schema accepts it, Go says " + bad.Error()
	}
	return refused
}

func onlyBeyond(bad *events.Invalid) bool {
	for _, p := range bad.Problems {
		if !p.BeyondSchema() {
			return false
		}
	}
	return true
}

// schemaFor finds the schema by the document's event_type, as a consumer would; any refuses a type that nobody knows.
func (j *judge) schemaFor(raw []byte) *jsonschema.Schema {
	var head struct {
		Type string `json:"event_type"`
	}
	_ = json.Unmarshal(raw, &head)
	for eventType, s := range j.schemas {
		if eventType == head.Type || events.LegacyName(eventType) == head.Type {
			return s
		}
	}
	return j.schemas["order.created"]
}
