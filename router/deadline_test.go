package router

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type ctxKey struct{}

func TestADeadlineThatNobodyWaitsForMakesNothing(t *testing.T) {
	parent := context.WithValue(t.Context(), ctxKey{}, "here")
	d := withTimeout(parent, time.Hour)
	require.NoError(t, d.Err())
	require.Equal(t, "here", d.Value(ctxKey{}))
	at, ok := d.Deadline()
	require.True(t, ok)
	require.WithinDuration(t, time.Now().Add(time.Hour), at, time.Minute)
	require.Nil(t, d.real.Load())
	d.end()
	require.ErrorIs(t, d.Err(), context.Canceled)
	<-d.Done()
	require.ErrorIs(t, context.Cause(d), context.Canceled)
}

func TestADeadlineEndsWithWhatItDependsOn(t *testing.T) {
	cause := errors.New("the stop")
	for name, c := range map[string]struct {
		timeout time.Duration
		end     func(d *deadline, parent context.CancelCauseFunc)
		err     error
		cause   error
	}{
		"time":   {time.Millisecond, func(*deadline, context.CancelCauseFunc) {}, context.DeadlineExceeded, context.DeadlineExceeded},
		"parent": {time.Hour, func(_ *deadline, parent context.CancelCauseFunc) { parent(cause) }, context.Canceled, cause},
		"end":    {time.Hour, func(d *deadline, _ context.CancelCauseFunc) { d.end() }, context.Canceled, context.Canceled},
	} {
		for _, asked := range []bool{true, false} { // before the end, or after it
			t.Run(name, func(t *testing.T) {
				parent, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				d := withTimeout(parent, c.timeout)
				defer d.end()
				var child context.Context
				if asked {
					var stop context.CancelFunc
					child, stop = context.WithCancel(d)
					defer stop()
				}
				c.end(d, cancel)
				require.Eventually(t, func() bool { return d.Err() != nil }, 5*time.Second, time.Millisecond)
				require.ErrorIs(t, d.Err(), c.err)
				<-d.Done()
				require.ErrorIs(t, context.Cause(d), c.cause)
				if asked {
					<-child.Done()
					require.ErrorIs(t, child.Err(), c.err)
				}
			})
		}
	}
}

func TestADeadlineIsNotLaterThanItsParents(t *testing.T) {
	parent, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	want, _ := parent.Deadline()
	d := withTimeout(parent, time.Hour)
	defer d.end()
	at, _ := d.Deadline()
	require.Equal(t, want, at)
}
