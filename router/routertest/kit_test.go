package routertest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

// recorder is a test that may fail without failing this one.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failuresOf runs f against a kit and answers what the kit complained about.
func failuresOf(t *testing.T, f func(k *routertest.Kit)) []string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(newKit(r))
	}()
	<-done
	return r.failures
}

var tables = fstest.MapFS{"migrations/00001_test.sql": {Data: []byte("-- +goose Up\nCREATE TABLE seen (id {{serial}}, what TEXT NOT NULL);\n-- +goose Down\nDROP TABLE seen;\n")}}

// newKit has a handler that answers a deleted product with an update, and fails for the product "bad".
func newKit(t testing.TB) *routertest.Kit {
	calls := 0
	return routertest.New(t, tables,
		router.On(func(ctx context.Context, tx *store.Tx, e events.Event[events.ProductDeleted]) error {
			calls++
			switch e.Data.ProductID {
			case "bad":
				return fmt.Errorf("it is bad")
			case "none":
				return store.Ignore("nothing to do")
			}
			if _, err := tx.Exec(ctx, "INSERT INTO seen (what) VALUES ($1)", e.Data.ProductID); err != nil {
				return err
			}
			return tx.Emit(events.ProductOutOfStock{ProductID: e.Data.ProductID, LastStockLevel: 3, LocationID: "berlin"})
		}),
		router.Do("later", func(_ context.Context, tx *store.Tx, id string) error {
			return tx.Emit(events.ProductOutOfStock{ProductID: id})
		}))
}

func TestTheKitIsContentWithWhatHappened(t *testing.T) {
	require.Empty(t, failuresOf(t, func(k *routertest.Kit) {
		k.Receive(events.ProductDeleted{ProductID: "p"})
		k.WantApplied()
		k.WantEmitted(events.ProductOutOfStock{ProductID: "p"})
		k.WantOnly(events.ProductOutOfStock{ProductID: "p", LastStockLevel: 3, LocationID: "berlin"})
		k.Receive(events.ProductDeleted{ProductID: "none"})
		k.WantIgnored("nothing to do")
		k.WantOnly()
		k.Receive(events.ProductDeleted{ProductID: "bad"})
		k.WantDeadLetter(router.CodeHandlerFailed)
		k.Do(func(ctx context.Context, tx *store.Tx) error {
			return tx.Enqueue(ctx, store.Job{Kind: "later", Name: "n", Key: "p", Due: tx.Now().Add(time.Minute), Payload: "p"})
		})
		k.WantOnly()
		k.Advance(time.Minute)
		k.WantOnly(events.ProductOutOfStock{ProductID: "p"})
		k.WantIdempotent()
	}))
}

func TestTheKitComplains(t *testing.T) {
	received := func(k *routertest.Kit) { k.Receive(events.ProductDeleted{ProductID: "p"}) }
	for complaint, f := range map[string]func(k *routertest.Kit){
		"not emitted: product.out_of_stock": func(k *routertest.Kit) { k.WantEmitted(events.ProductOutOfStock{ProductID: "q"}) },
		`"last_stock_level":3`:              func(k *routertest.Kit) { k.WantEmitted(events.ProductOutOfStock{ProductID: "p", LastStockLevel: 4}) },
		"1 events were emitted, wanted 0":   func(k *routertest.Kit) { k.WantOnly() },
		"the event is applied":              func(k *routertest.Kit) { k.WantIgnored("nothing to do") },
		"wanted waiting":                    func(k *routertest.Kit) { k.WantWaiting() },
		"no dead letter with code timeout":  func(k *routertest.Kit) { k.WantDeadLetter(router.CodeTimeout) },
		"the command: no":                   func(k *routertest.Kit) { k.Do(func(context.Context, *store.Tx) error { return fmt.Errorf("no") }) },
	} {
		t.Run(complaint, func(t *testing.T) {
			failures := failuresOf(t, func(k *routertest.Kit) {
				received(k)
				f(k)
			})
			require.Contains(t, strings.Join(failures, "\n"), complaint)
		})
	}
}

// TestAHandlerThatIsNotIdempotentIsFound has an inbox that forgets: the event comes again under the same id and is applied.
func TestAHandlerThatIsNotIdempotentIsFound(t *testing.T) {
	failures := failuresOf(t, func(k *routertest.Kit) {
		k.Receive(events.ProductDeleted{ProductID: "p"})
		k.Do(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, "DELETE FROM inbox")
			return err
		})
		k.WantIdempotent()
	})
	require.Contains(t, strings.Join(failures, "\n"), "it made a difference in seen")
}
