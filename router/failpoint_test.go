package router_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// A handler that fails by its failpoint fails as any other: a dead letter, in a dry run too, and mended without the failpoint.
func TestAFailpointFailsOneHandler(t *testing.T) {
	st, err := store.Open(t.Context(), store.Options{Service: "test", Dir: t.TempDir(), Catalogue: events.Platform()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	handled, broken := 0, true
	s, err := router.NewService(t.Context(), router.Assemble("test", nil, count[events.OrderCreated](&handled)), st, router.Options{Failpoint: func(name string) error {
		if broken && name == "handler.test.order.created" {
			return errors.New("injected")
		}
		return nil
	}})
	require.NoError(t, err)
	message := orderMessage(t, "o1", st.Now())
	require.NoError(t, s.Deliver(t.Context(), events.OrderCreated{}.Contract().Topic(), message))
	tried, err := s.TryOut(t.Context(), operator)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"dead": 1}, tried.Outcomes)
	require.Zero(t, handled)
	broken = false
	done, err := s.Requeue(t.Context(), operator)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"applied": 1}, done.Outcomes)
	require.Equal(t, 1, handled)
}
