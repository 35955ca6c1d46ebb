package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

const day = 24 * time.Hour

func TestWhatIsKeptForEverLeavesTheOutboxOnlyWhereTopicsKeepIt(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	reopen := func() *store.Store {
		return open(t, dir, func(o *store.Options) { o.Clock = func() time.Time { return now }; o.Source = events.CatalogService })
	}
	st := reopen()
	emit := func() {
		require.NoError(t, st.Do(t.Context(), func(_ context.Context, tx *store.Tx) error {
			return tx.Emit(events.ProductDeleted{ProductID: "prod_1"})
		}))
	}
	taken := func() {
		require.NoError(t, st.Close()) // a store's relay runs once
		st = reopen()
		stop := relay(t, st, newTransport(nil))
		quiet(t, st)
		stop()
	}
	prune := func(keep store.Retention) int {
		keep.Inbox = day
		_, err := st.Prune(t.Context(), keep)
		require.NoError(t, err)
		return len(recorded(t, st))
	}
	require.Zero(t, prune(store.Retention{Topics: "kafka"}), "from now on the topics keep it")
	emit()
	now = now.Add(401 * day)
	require.Equal(t, 1, prune(store.Retention{Topics: "kafka", Outbox: day}), "what the transport has not taken is kept, however old")
	taken()
	now = now.Add(-2 * day)
	require.Equal(t, 1, prune(store.Retention{Topics: "kafka"}), "its trace is of use for a while")
	now = now.Add(2 * day)
	require.Zero(t, prune(store.Retention{Topics: "kafka"}))

	emit()
	now = now.Add(time.Hour)
	require.Equal(t, 1, prune(store.Retention{Outbox: time.Minute}), "a rebuild needs it")
	taken()
	now = now.Add(401 * day)
	for _, transport := range []string{"kafka", "kafka", "sql", "sql"} {
		require.Equal(t, 1, prune(store.Retention{Topics: transport}), "another transport took it: it is in no topic")
		now = now.Add(day)
	}
}
