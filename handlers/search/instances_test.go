package search_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/search"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/store/postgrestest"
)

// Two instances write products that share their shelves and words, in no order: a deadlock would hold both up for a second. Seen
// red without the trigger shelf_queue.
func TestTwoInstancesIndexWithoutDeadlocks(t *testing.T) {
	url := postgrestest.Database(t)
	var log strings.Builder
	var mu sync.Mutex
	var instances []*store.Store
	for range 2 {
		st, err := store.Open(t.Context(), store.Options{
			Service: "search", Catalogue: events.Platform(), Migrations: search.Migrations, Postgres: store.Postgres{URL: url},
			Logger: slog.New(slog.NewTextHandler(writer(func(line []byte) (int, error) {
				mu.Lock()
				defer mu.Unlock()
				return log.Write(line)
			}), &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, st.Close()) })
		instances = append(instances, st)
	}
	s := &search.Service{}
	var all sync.WaitGroup
	for n := range 400 {
		p := events.ProductCreated{ProductID: fmt.Sprint("p", n), Name: fmt.Sprintf("w%d x%d", n%7, n%5), CategoryID: fmt.Sprint("shelf", n*7%5), Price: 1, IsActive: true}
		all.Go(func() {
			err := instances[n%2].DoKey(t.Context(), p.ProductID, func(ctx context.Context, tx *store.Tx) error {
				return s.IndexCreated(ctx, tx, events.Event[events.ProductCreated]{Envelope: events.Envelope{Timestamp: time.Now()}, Data: p})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	mu.Lock()
	defer mu.Unlock()
	require.NotContains(t, log.String(), "deadlock")
}

type writer func(line []byte) (int, error)

func (w writer) Write(line []byte) (int, error) { return w(line) }
