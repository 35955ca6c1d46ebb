package simulator

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A slow platform is waited for as long as something moves; one that stands still is given up.
func TestPatience(t *testing.T) {
	for name, c := range map[string]struct {
		left  []int // the last one stays
		looks int
	}{
		"nothing is left":    {[]int{0}, 1},
		"slow, but it moves": {[]int{3, 3, 3, 2, 2, 2, 1, 1, 1, 0}, 10},
		"it stands still":    {[]int{3, 2}, 6}, // 0 s, moved at 1 s, over after 4 s more
		"it only ever grows": {[]int{3, 4, 5, 6, 7, 8}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &run{Options: Options{SettleTimeout: 3500 * time.Millisecond}}
				looks := 0
				require.NoError(t, r.patience().until(t.Context(), time.Second, func() (int, error) {
					looks++
					return c.left[min(looks, len(c.left))-1], nil
				}))
				require.Equal(t, c.looks, looks)
			})
		})
	}
}
