package audit_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/audit"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

type fixture struct {
	*routertest.Kit
	audit *audit.Service
}

func newKit(t *testing.T) fixture {
	s := &audit.Service{}
	return fixture{Kit: routertest.New(t, audit.Migrations, router.On(s.Append)), audit: s}
}

func (f fixture) adjusted(product string, from, to int64) {
	f.Receive(events.InventoryAdjusted{
		ProductID: product, LocationID: "warehouse_main", OldQuantity: from, NewQuantity: to, AdjustmentType: events.AdjustmentDamage,
		Reason: fmt.Sprintf("%d damaged – Stück", from-to), ReferenceNumber: "ADJ-" + product,
	})
}

func (f fixture) records(filter audit.Filter) (all []audit.Record) {
	filter.Limit = 1000
	f.View(func(ctx context.Context, r store.Reader) (err error) {
		all, err = f.audit.List(ctx, r, filter)
		return err
	})
	return all
}

func (f fixture) head() (head audit.Head) {
	f.View(func(ctx context.Context, r store.Reader) (err error) {
		head, err = f.audit.Head(ctx, r)
		return err
	})
	return head
}

func TestEveryAdjustmentIsChainedOnce(t *testing.T) {
	f := newKit(t)
	require.Equal(t, audit.Head{Hash: audit.Genesis}, f.head())
	for i := range int64(20) {
		f.adjusted(fmt.Sprintf("prod_%d", i%3), 100-i, 95-i)
	}
	all := f.records(audit.Filter{})
	require.Len(t, all, 20)
	require.Equal(t, audit.Genesis, all[0].PreviousHash)
	for i, r := range all {
		require.Equal(t, int64(i+1), r.Sequence)
		seal, err := r.Seal()
		require.NoError(t, err)
		require.Equal(t, seal, r.Hash)
		if i > 0 {
			require.Equal(t, all[i-1].Hash, r.PreviousHash)
		}
	}
	require.Equal(t, audit.Head{Sequence: 20, Hash: all[19].Hash}, f.head())
	r := all[4]
	require.Equal(t, "prod_1", r.ProductID)
	require.Equal(t, []int64{96, 91}, []int64{r.OldQuantity, r.NewQuantity})
	require.Equal(t, "5 damaged – Stück", r.Reason)
	require.Equal(t, "about_prod_1", r.CorrelationID)
	f.WantIdempotent()
}

func TestRecordsAreFiltered(t *testing.T) {
	f := newKit(t)
	f.adjusted("prod_1", 10, 9)
	f.adjusted("prod_2", 10, 9)
	f.Advance(time.Hour)
	f.Receive(events.InventoryAdjusted{ProductID: "prod_1", OldQuantity: 9, NewQuantity: 20, AdjustmentType: events.AdjustmentRestock, ReferenceNumber: "po_1"})
	sequences := func(filter audit.Filter) (list []int64) {
		for _, r := range f.records(filter) {
			list = append(list, r.Sequence)
		}
		return list
	}
	require.Equal(t, []int64{1, 3}, sequences(audit.Filter{ProductID: "prod_1"}))
	require.Equal(t, []int64{3}, sequences(audit.Filter{AdjustmentType: events.AdjustmentRestock}))
	require.Equal(t, []int64{3}, sequences(audit.Filter{ReferenceNumber: "po_1"}))
	require.Equal(t, []int64{2}, sequences(audit.Filter{CorrelationID: "about_prod_2"}))
	require.Equal(t, []int64{1, 2}, sequences(audit.Filter{LocationID: "warehouse_main"}))
	require.Equal(t, []int64{3}, sequences(audit.Filter{Since: f.Now().Add(-time.Minute)}))
	require.Equal(t, []int64{1, 2}, sequences(audit.Filter{Until: f.Now()}))
	require.Equal(t, []int64{2, 3}, sequences(audit.Filter{After: 1}))
}
