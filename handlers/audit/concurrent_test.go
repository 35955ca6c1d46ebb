package audit_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/audit"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/store/postgrestest"
)

// open opens the service's database as an instance does; on PostgreSQL several share it.
func open(t testing.TB, url string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{Service: "audit", Dir: t.TempDir(), Postgres: store.Postgres{URL: url}, Catalogue: events.Platform(), Migrations: audit.Migrations})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	return st
}

// appendAll chains n adjustments, of as many products, at the same time.
func appendAll(t testing.TB, s *audit.Service, n int, instances ...*store.Store) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(256)
	for i := range n {
		group.Go(func() error {
			e := events.Event[events.InventoryAdjusted]{
				Envelope: events.Envelope{EventID: uuid.New(), CorrelationID: "c", Timestamp: time.Now(), SourceService: events.InventoryService},
				Data:     events.InventoryAdjusted{ProductID: fmt.Sprint("prod_", i), NewQuantity: 1, AdjustmentType: events.AdjustmentRestock},
			}
			return instances[i%len(instances)].DoKey(t.Context(), e.Data.ProductID, func(ctx context.Context, tx *store.Tx) error { return s.Append(ctx, tx, e) })
		})
	}
	require.NoError(t, group.Wait())
}

func TestConcurrentAppendsMakeOneChain(t *testing.T) {
	const n = 500
	s := &audit.Service{}
	var instances []*store.Store
	if os.Getenv("TEST_POSTGRES") != "" {
		url := postgrestest.Database(t)
		instances = []*store.Store{open(t, url), open(t, url)}
	} else {
		instances = []*store.Store{open(t, "")}
	}
	began := time.Now()
	appendAll(t, s, n, instances...)
	t.Logf("%d records in %v", n, time.Since(began))
	var v audit.Verification
	require.NoError(t, instances[0].View(t.Context(), func(ctx context.Context, r store.Reader) error {
		all, err := s.List(ctx, r, audit.Filter{Limit: n + 1})
		for _, record := range all {
			v.Add(record)
		}
		head, headErr := s.Head(ctx, r)
		require.NoError(t, headErr)
		require.Equal(t, n, v.Len())
		require.Empty(t, v.Check(head))
		return err
	}))
}
