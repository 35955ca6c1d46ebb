package lazycontext

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type ctxKey struct{}

func TestAnEndThatNobodyWaitsForMakesNothing(t *testing.T) {
	parent := context.WithValue(t.Context(), ctxKey{}, "here")
	for _, c := range []*Context{WithCancel(parent), WithTimeout(parent, time.Hour)} {
		require.NoError(t, c.Err())
		require.Equal(t, "here", c.Value(ctxKey{}))
		require.Nil(t, c.real.Load())
		c.Cancel()
		require.Nil(t, c.real.Load())
		require.ErrorIs(t, c.Err(), context.Canceled)
		<-c.Done()
		require.ErrorIs(t, context.Cause(c), context.Canceled)
		require.Equal(t, "here", c.Value(ctxKey{}))
	}
}

func TestAContextEndsWithWhatItDependsOn(t *testing.T) {
	cause := errors.New("the stop")
	for name, c := range map[string]struct {
		timeout time.Duration // none if 0
		end     func(c *Context, parent context.CancelCauseFunc)
		err     error
		cause   error
	}{
		"time":          {time.Second, func(*Context, context.CancelCauseFunc) { time.Sleep(time.Second) }, context.DeadlineExceeded, context.DeadlineExceeded},
		"parent":        {time.Hour, func(_ *Context, parent context.CancelCauseFunc) { parent(cause) }, context.Canceled, cause},
		"cancel":        {time.Hour, func(c *Context, _ context.CancelCauseFunc) { c.Cancel() }, context.Canceled, context.Canceled},
		"parent, alone": {0, func(_ *Context, parent context.CancelCauseFunc) { parent(cause) }, context.Canceled, cause},
		"cancel, alone": {0, func(c *Context, _ context.CancelCauseFunc) { c.Cancel() }, context.Canceled, context.Canceled},
	} {
		for _, asked := range []bool{true, false} { // before the end, or after it
			t.Run(fmt.Sprintf("%s, asked before %v", name, asked), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					parent, cancel := context.WithCancelCause(t.Context())
					defer cancel(nil)
					lazy := WithCancel(parent)
					if c.timeout > 0 {
						lazy = WithTimeout(parent, c.timeout)
					}
					defer lazy.Cancel()
					var child context.Context
					if asked {
						var stop context.CancelFunc
						child, stop = context.WithCancel(lazy)
						defer stop()
					}
					c.end(lazy, cancel)
					synctest.Wait()
					require.ErrorIs(t, lazy.Err(), c.err)
					<-lazy.Done()
					require.ErrorIs(t, context.Cause(lazy), c.cause)
					if asked {
						<-child.Done()
						require.ErrorIs(t, child.Err(), c.err)
					}
				})
			})
		}
	}
}

// What ended a context first is what it says for ever.
func TestTheFirstEndStands(t *testing.T) {
	cause := errors.New("the stop")
	synctest.Test(t, func(t *testing.T) {
		parent, stop := context.WithCancelCause(t.Context())
		cancelled, alone := WithTimeout(parent, time.Second), WithCancel(parent)
		cancelled.Cancel()
		alone.Cancel()
		time.Sleep(2 * time.Second)
		stopped := WithTimeout(parent, time.Hour)
		stop(cause)
		stopped.Cancel()
		for c, want := range map[*Context]error{cancelled: context.Canceled, alone: context.Canceled, stopped: cause} {
			require.ErrorIs(t, c.Err(), context.Canceled)
			require.Equal(t, want, context.Cause(c))
		}
	})
}

func TestADeadlineIsNotLaterThanItsParents(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want, _ := parent.Deadline()
	for _, c := range []*Context{WithCancel(parent), WithTimeout(parent, time.Hour)} {
		at, ok := c.Deadline()
		require.True(t, ok)
		require.Equal(t, want, at)
	}
	at, _ := WithTimeout(parent, time.Second).Deadline()
	require.True(t, at.Before(want))
	_, ok := WithCancel(t.Context()).Deadline()
	require.False(t, ok)
}
