package router

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/store/postgrestest"
)

// A job that is due, but whose row another transaction holds, is asked for again after a pause. Seen red without it: the
// runner asks as fast as the database answers.
func TestAJobInOtherHandsIsWaitedFor(t *testing.T) {
	if os.Getenv("TEST_POSTGRES") == "" && os.Getenv("REQUIRE_BROKERS") == "" {
		t.Skip("TEST_POSTGRES names no server: run make test-brokers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	url := postgrestest.Database(t)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	st, err := store.Open(ctx, store.Options{Service: "test", Postgres: store.Postgres{URL: url}, Catalogue: events.Platform(), Logger: log})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	ran := 0
	tidy := Do("tidy", func(context.Context, *store.Tx, struct{}) error {
		ran++
		return nil
	})
	s, err := NewService(ctx, Consumer{Name: "test", Jobs: []Job{tidy}}, st, Options{Logger: log})
	require.NoError(t, err)
	require.NoError(t, st.Do(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.Enqueue(ctx, store.Job{Kind: "tidy", Name: "t"})
	}))
	other, err := pgx.Connect(ctx, url)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close(ctx)) }()
	holding, err := other.Begin(ctx)
	require.NoError(t, err)
	_, err = holding.Exec(ctx, "SELECT 1 FROM test.jobs FOR UPDATE")
	require.NoError(t, err)

	var running sync.WaitGroup
	start := func() time.Duration {
		pause, err := s.startDue(ctx, ctx, make(chan struct{}, 1), &running)
		require.NoError(t, err)
		running.Wait()
		return pause
	}
	require.Equal(t, jobTaken, start())
	require.Zero(t, ran)
	require.NoError(t, holding.Rollback(ctx))
	start()
	require.Equal(t, 1, ran)
}
