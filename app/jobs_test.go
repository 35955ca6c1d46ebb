package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/gochannel"
)

// A job whose result cannot be stored is tried again when the database takes it, long before its lease ends: here an hour.
func TestAJobDoesNotWaitForItsLeaseWhenTheDatabaseFailed(t *testing.T) {
	var failing atomic.Int32 // commits that will fail
	var armed, done atomic.Bool
	call := router.Call("ask", func(context.Context, string) (string, error) {
		if armed.CompareAndSwap(false, true) {
			failing.Store(6) // the result and, at first, the failure: a commit of a group is tried more than once, one alone is not
			return "the first answer", nil
		}
		return "yes", nil
	}, func(_ context.Context, tx *store.Tx, _, _ string) error {
		tx.OnCommit(func() { done.Store(true) })
		return nil
	})
	loaded, err := config.Load(config.Source{Services: []string{"worker"}, Flags: map[string]string{
		"store.sqlite.dir": t.TempDir(), "http.listen": "127.0.0.1:0", "router.attempt_timeout": "20m",
	}})
	require.NoError(t, err)
	var struck atomic.Int32
	a, err := app.Start(t.Context(), app.Options{
		Config: loaded.Config, Driver: gochannel.Driver, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Failpoint: func(point string) error {
			if point == "commit.before" && failing.Load() > 0 {
				failing.Add(-1)
				struck.Add(1)
				return errors.New("no space left on device")
			}
			return nil
		},
		Consumers: []router.Consumer{{Name: "worker", Source: events.OrdersService, Jobs: []router.Job{call}}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Stop(context.WithoutCancel(t.Context()))) })
	require.NoError(t, a.Services()[0].Store().Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Enqueue(ctx, store.Job{Kind: "ask", Name: "n", Key: "k", Due: tx.Now(), Payload: "p"})
	}))
	require.Eventually(t, done.Load, time.Minute, 10*time.Millisecond)
	require.EqualValues(t, 6, struck.Load())
}
