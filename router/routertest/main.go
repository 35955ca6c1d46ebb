package routertest

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/store/postgrestest"
)

// checked tells of every handler that a kit of this test program was made with whether WantIdempotent has seen it apply an
// event.
var checked = struct {
	sync.Mutex
	handlers map[string]bool
}{handlers: map[string]bool{}}

// Main is a package's TestMain: it runs the tests and then fails if there is a handler whose applied events WantIdempotent has
// never received again. A part of the tests, as -run chooses it, is not judged. Handlers that ignore every event are named.
func Main(m *testing.M, ignoring ...string) {
	code := m.Run()
	postgrestest.Stop()
	if code == 0 && whole() {
		for _, handler := range unchecked(ignoring) {
			fmt.Fprintf(os.Stderr, "no test receives the events that %s applied again: end one with WantIdempotent\n", handler)
			code = 1
		}
	}
	os.Exit(code)
}

func whole() bool {
	return !slices.ContainsFunc([]string{"run", "skip", "list"}, func(name string) bool {
		f := flag.Lookup("test." + name)
		return f != nil && cmp.Or(f.Value.String(), f.DefValue) != f.DefValue
	})
}

func unchecked(ignoring []string) (list []string) {
	checked.Lock()
	defer checked.Unlock()
	for handler, done := range checked.handlers {
		if !done && !slices.Contains(ignoring, handler) {
			list = append(list, handler)
		}
	}
	slices.Sort(list)
	return list
}

// register notes the kit's handlers.
func (k *Kit) register() {
	checked.Lock()
	defer checked.Unlock()
	for _, route := range k.service.Consumer().Routes {
		if !checked.handlers[route.Handler] {
			checked.handlers[route.Handler] = false
		}
	}
}

// check notes the handlers that have applied an event of the kit.
func (k *Kit) check() {
	k.t.Helper()
	applied := map[string]bool{}
	for _, d := range k.received {
		if state, _ := k.standing(d.id); state == store.Applied {
			applied[d.topic] = true
		}
	}
	checked.Lock()
	defer checked.Unlock()
	for _, route := range k.service.Consumer().Routes {
		if applied[route.Contract.Topic()] {
			checked.handlers[route.Handler] = true
		}
	}
}
