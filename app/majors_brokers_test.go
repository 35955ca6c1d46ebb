package app_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// TestTwoMajorVersionsReachOneHandler: a publisher that moves from one major version to the next, and back, is heard whole by a
// handler of the newer one. The events of a key keep their order within each version, as each has a topic of its own.
func TestTwoMajorVersionsReachOneHandler(t *testing.T) {
	transports := maps.Clone(brokered)
	transports["local"] = func(*testing.T) (func(*app.Options), func(string, []byte)) { return func(*app.Options) {}, nil }
	for name, prepare := range transports {
		t.Run(name, func(t *testing.T) {
			const keys, each = 16, 20
			var mu sync.Mutex
			count, heard := 0, map[string][2][]string{} // by key: of version 1, of version 2
			on, _ := prepare(t)
			a := start(t, t.TempDir(), func(o *app.Options) {
				on(o)
				o.Platform = false
				o.Consumers = []router.Consumer{{Name: "memo", Contracts: app.Memos()}, {
					Name: "reader", Routes: []router.Route{router.On(func(_ context.Context, tx *store.Tx, e events.Event[app.MemoV2]) error {
						n, err := strconv.Atoi(e.Data.Body)
						tx.OnCommit(func() {
							mu.Lock()
							defer mu.Unlock()
							list := heard[e.Data.ID]
							list[n%2] = append(list[n%2], e.Data.Body)
							heard[e.Data.ID] = list
							count++
						})
						return err
					})},
				}}
			})
			defer stop(t, a)
			var want [2][]string
			for n := range each {
				number := strconv.Itoa(n)
				want[n%2] = append(want[n%2], number)
				require.NoError(t, a.Services()[0].Store().Do(t.Context(), func(_ context.Context, tx *store.Tx) error {
					for k := range keys {
						id := fmt.Sprint("memo_", k)
						var memo events.Payload = app.MemoV1{ID: id, Text: number}
						if n%2 == 1 {
							memo = app.MemoV2{ID: id, Body: number}
						}
						if err := tx.Emit(memo); err != nil {
							return err
						}
					}
					return nil
				}))
			}
			require.Eventually(t, func() bool {
				mu.Lock()
				defer mu.Unlock()
				return count >= keys*each
			}, time.Minute, 20*time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			require.Len(t, heard, keys)
			for key, versions := range heard {
				require.Equal(t, want, versions, key)
			}
		})
	}
}
