package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/store"
)

// TestTheHeadsOfAKeyAreItsAmongAll: the query for one key is another one, whose cost does not grow with what waits.
func TestTheHeadsOfAKeyAreItsAmongAll(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	st := open(t, t.TempDir(), nil)
	const keys = 12
	require.NoError(t, st.Do(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for range 200 {
			p := waits(fmt.Sprint("k", draw.IntN(keys)))
			p.Topic, p.Payload = fmt.Sprintf("topic.%d.v1", draw.IntN(4)), []byte("{}")
			p.Refused = draw.IntN(10) == 0
			if draw.IntN(3) == 0 {
				p.State, p.Held = store.Retrying, draw.IntN(10) == 0
			}
			if err := tx.Park(ctx, p); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, st.View(t.Context(), func(ctx context.Context, r store.Reader) error {
		all, err := store.Heads(ctx, r, 0, 1000)
		require.NotEmpty(t, all)
		for k := range keys + 1 { // one of them has nothing
			key := fmt.Sprint("k", k)
			of, err := store.HeadsOf(ctx, r, key)
			require.NoError(t, err)
			want := slices.DeleteFunc(slices.Clone(all), func(p store.Parked) bool { return p.Key != key })
			require.ElementsMatch(t, want, of, key)
		}
		return err
	}))
}
