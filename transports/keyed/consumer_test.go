package keyed_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/transports/keyed"
)

// All drain at the same time, and what they say stands in the order of their names.
func TestConsumersDrainTogether(t *testing.T) {
	consumers := map[string]string{"a": "first", "b": "second", "c": "third"}
	var together sync.WaitGroup
	together.Add(len(consumers))
	err := keyed.DrainAll(consumers, func(what string) error {
		together.Done()
		together.Wait() // for ever, if one waited for another to end
		return errors.New(what)
	})
	require.EqualError(t, err, "first\nsecond\nthird")
}
