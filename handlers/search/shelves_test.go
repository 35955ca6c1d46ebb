package search_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/search"
	"github.com/first-viscount/viscount/store"
)

// wantCounted holds what is counted beside the products against the products themselves.
func (f fixture) wantCounted(t *testing.T, want ...string) {
	t.Helper()
	for _, query := range []string{
		"SELECT category_id, is_active, products FROM shelves WHERE products <> 0 ORDER BY category_id, is_active",
		"SELECT category_id, is_active, COUNT(*) FROM products WHERE deleted = 0 GROUP BY category_id, is_active ORDER BY category_id, is_active",
	} {
		f.View(func(ctx context.Context, r store.Reader) error {
			got, err := store.All(ctx, r, func(row store.Scanner) (string, error) {
				var category string
				var active, n int64
				err := row.Scan(&category, &active, &n)
				return fmt.Sprint(category, " ", active, ": ", n), err
			}, query)
			require.Equal(t, want, got, query)
			return err
		})
	}
}

func TestShelvesAreCountedWhateverHappensToProducts(t *testing.T) {
	f := shelf(t)
	f.wantCounted(t, "drinks 1: 2", "furniture 0: 1", "kitchen 1: 2")
	move := func(id, category string, active bool) {
		f.Receive(events.ProductUpdated{ProductID: id, Name: id, CategoryID: category, Price: 1, IsActive: active})
	}
	move("tea", "drinks", false)
	move("cup", "drinks", true)
	move("coffee", "drinks", true) // no other shelf
	f.wantCounted(t, "drinks 0: 1", "drinks 1: 2", "furniture 0: 1", "kitchen 1: 1")
	f.Receive(events.ProductDeleted{ProductID: "chair"})
	f.Receive(events.ProductDeleted{ProductID: "unknown"}) // a tombstone
	f.Receive(events.ProductDeleted{ProductID: "mill"})
	f.wantCounted(t, "drinks 0: 1", "drinks 1: 2")
	found := f.find(search.Query{})
	require.Equal(t, search.Facets{Categories: map[string]int64{"drinks": 3}, Active: 2, Inactive: 1, MinPrice: price(1), MaxPrice: price(1)}, found.Facets)
	require.Zero(t, f.find(search.Query{Category: "furniture"}).Total)
	f.WantIdempotent()
	f.WantRebuilt()
	f.wantCounted(t, "drinks 0: 1", "drinks 1: 2")
}

func price(p events.Money) *events.Money { return &p }

// Whole shelves are counted to the end, however many products stand there; of those at some prices so many as of common words.
func TestWhatIsPickedByPriceIsCountedSoFar(t *testing.T) {
	f := newKit(t)
	f.svc.MostCounted = 4
	for i := range 12 {
		f.create(fmt.Sprintf("p%02d", i), "Thing", "", fmt.Sprint("shelf", i%2), events.Money(i), i%4 > 0)
	}
	for _, q := range []search.Query{{}, {Category: "shelf1"}} {
		found := f.find(q)
		require.Equal(t, []any{len(found.Items), false}, []any{int(found.Total), found.AtLeast}, "%+v", q)
		q.MinPrice, q.MaxPrice, q.Limit = price(2), price(11), 3
		found = f.find(q)
		require.Equal(t, []any{int64(4), true, int64(4)}, []any{found.Total, found.AtLeast, found.Facets.Active + found.Facets.Inactive}, "%+v", q)
		for _, sort := range search.Sorts {
			q.Sort = sort
			require.Len(t, f.through(q), 10/(1+len(q.Category)/6), "paging reaches all of %+v", q)
		}
		q.MinPrice = price(9)
		found = f.find(q)
		require.Equal(t, []any{int64(len(f.through(q))), false}, []any{found.Total, found.AtLeast}, "%+v", q)
		require.Equal(t, []*events.Money{price(9), price(11)}, []*events.Money{found.Facets.MinPrice, found.Facets.MaxPrice})
	}
}
