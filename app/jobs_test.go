package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
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
	var struck atomic.Int32
	a := working(t, call, func(point string) error {
		if point == "commit.before" && failing.Load() > 0 {
			failing.Add(-1)
			struck.Add(1)
			return errors.New("no space left on device")
		}
		return nil
	})
	ask(t, a, "n")
	require.Eventually(t, done.Load, time.Minute, 10*time.Millisecond)
	require.EqualValues(t, 6, struck.Load())
}

// working is a process whose only service runs one kind of job, named ask.
func working(t *testing.T, job router.Job, failpoint func(string) error) *app.App {
	t.Helper()
	loaded, err := config.Load(config.Source{Services: []string{"worker"}, Flags: map[string]string{
		"store.sqlite.dir": t.TempDir(), "http.listen": "127.0.0.1:0", "router.attempt_timeout": "20m",
	}})
	require.NoError(t, err)
	a, err := app.Start(t.Context(), app.Options{
		Config: loaded.Config, Driver: gochannel.Driver, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Failpoint: failpoint,
		Consumers: []router.Consumer{{Name: "worker", Source: events.OrdersService, Jobs: []router.Job{job}}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Stop(context.WithoutCancel(t.Context()))) })
	return a
}

// ask enqueues a job that is due.
func ask(t *testing.T, a *app.App, name string) {
	t.Helper()
	require.NoError(t, a.Services()[0].Store().Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.Enqueue(ctx, store.Job{Kind: "ask", Name: name, Key: name, Due: tx.Now(), Payload: name})
	}))
}

// An outside call in flight when the process stops may finish within the drain; one that outlasts it is cut off.
func TestAJobInHandFinishesWithinTheDrain(t *testing.T) {
	begun, answer := make(chan string, 2), make(chan struct{})
	var done, cut atomic.Int32
	call := router.Call("ask", func(ctx context.Context, name string) (string, error) {
		wait := answer
		if name == "endless" {
			wait = nil
		}
		begun <- name
		select {
		case <-wait:
			return "yes", nil
		case <-ctx.Done():
			cut.Add(1)
			return "", ctx.Err()
		}
	}, func(_ context.Context, tx *store.Tx, _, _ string) error {
		tx.OnCommit(func() { done.Add(1) })
		return nil
	})
	a := working(t, call, nil)
	ask(t, a, "soon")
	ask(t, a, "endless")
	<-begun
	<-begun
	require.NoError(t, a.Router().StopWork(t.Context()))
	close(answer)
	require.Eventually(t, func() bool { return done.Load() == 1 }, 30*time.Second, 10*time.Millisecond)
	require.Zero(t, cut.Load())

	over, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, a.Router().FinishJobs(over), context.Canceled)
	require.EqualValues(t, 1, cut.Load())
}

// Jobs that come due while their consumer is paused run when it is resumed.
func TestJobsOfAPausedConsumerRunWhenItIsResumed(t *testing.T) {
	var service atomic.Pointer[router.Service]
	var early, done atomic.Int32
	call := router.Call("ask", func(context.Context, string) (string, error) {
		if service.Load().Paused() {
			early.Add(1)
		}
		return "yes", nil
	}, func(_ context.Context, tx *store.Tx, _, _ string) error {
		tx.OnCommit(func() { done.Add(1) })
		return nil
	})
	a := working(t, call, nil)
	s := a.Services()[0]
	service.Store(s)
	require.NoError(t, s.Pause(t.Context(), "ada", "provider maintenance"))
	for n := range 20 { // each commit wakes whoever runs jobs
		ask(t, a, strconv.Itoa(n))
	}
	require.NoError(t, s.Resume(t.Context(), "ada", "done"))
	require.Eventually(t, func() bool { return done.Load() == 20 }, 30*time.Second, 10*time.Millisecond)
	require.Zero(t, early.Load())
}
