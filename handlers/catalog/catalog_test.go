package catalog_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/catalog"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

type fixture struct {
	*routertest.Kit
	svc *catalog.Service
}

func newKit(t *testing.T) fixture {
	s := &catalog.Service{DefaultLocation: "warehouse_main"}
	return fixture{svc: s, Kit: routertest.New(t, catalog.Migrations, router.On(s.TrackStock), router.Do(catalog.ApplyPriceJob, s.ApplyPrice))}
}

var coffee = catalog.Product{
	ProductID: "prod_1", Name: "Coffee", CategoryID: "drinks", Price: 2499, SKU: "C-1", IsActive: true, Attributes: jsontext.Value(`{"weight":"1kg","tags":[1,2]}`),
}

func (f fixture) create(p catalog.Product) error {
	return f.Try(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.svc.Create(ctx, tx, p)
		return err
	})
}

func (f fixture) update(p catalog.Product, version int64, effective *time.Time) error {
	return f.Try(func(ctx context.Context, tx *store.Tx) error {
		_, err := f.svc.Update(ctx, tx, p, version, effective)
		return err
	})
}

func (f fixture) get() (p catalog.Product) {
	f.View(func(ctx context.Context, r store.Reader) (err error) {
		p, err = f.svc.Get(ctx, r, "prod_1")
		return err
	})
	return p
}

func TestCreateOnce(t *testing.T) {
	f := newKit(t)
	require.NoError(t, f.create(coffee))
	f.WantOnly(events.ProductCreated{ProductID: "prod_1", Price: 2499, SKU: "C-1"})
	require.NoError(t, f.create(coffee))
	f.WantOnly()
	other := coffee
	other.Price = 1
	require.ErrorContains(t, f.create(other), store.AlreadyExists)
}

func TestUpdateNamesWhatChanged(t *testing.T) {
	f := newKit(t)
	require.NoError(t, f.create(coffee))
	p := coffee
	p.Name, p.Attributes = "Organic coffee", jsontext.Value(`{ "tags": [1, 2], "organic": true }`)
	require.NoError(t, f.update(p, 1, nil))
	f.WantOnly(events.ProductUpdated{ProductID: "prod_1"})
	changes := routertest.Emitted[events.ProductUpdated](f.Kit)[0].Changes
	require.Equal(t, []events.Change{
		{Field: "name", OldValue: jsontext.Value(`"Coffee"`), NewValue: jsontext.Value(`"Organic coffee"`)},
		{Field: "attributes.organic", OldValue: jsontext.Value("null"), NewValue: jsontext.Value("true")},
		{Field: "attributes.weight", OldValue: jsontext.Value(`"1kg"`), NewValue: jsontext.Value("null")},
	}, changes)

	require.NoError(t, f.update(p, 0, nil))
	f.WantOnly() // a PUT that changes nothing emits nothing
	require.Equal(t, int64(2), f.get().Version)
	require.ErrorContains(t, f.update(p, 1, nil), store.Outdated)
}

func TestAPriceChangesAtOnceOrOnItsDate(t *testing.T) {
	f := newKit(t)
	require.NoError(t, f.create(coffee))
	p := coffee
	p.Price = 2299
	require.NoError(t, f.update(p, 0, nil))
	f.WantOnly(events.ProductPriceChanged{ProductID: "prod_1", OldPrice: 2499, NewPrice: 2299}, events.ProductUpdated{ProductID: "prod_1", Price: 2299})

	later := f.Now().Add(48 * time.Hour)
	p.Price = 1999
	require.NoError(t, f.update(p, 0, &later))
	f.WantOnly(events.ProductPriceChanged{ProductID: "prod_1", OldPrice: 2299, NewPrice: 1999, EffectiveDate: &later})
	require.Equal(t, events.Money(2299), f.get().Price)
	f.Advance(47 * time.Hour)
	f.WantOnly()
	f.Advance(2 * time.Hour)
	f.WantOnly(events.ProductUpdated{ProductID: "prod_1", Price: 1999})
	require.Equal(t, events.Money(1999), f.get().Price)
}

func TestADeletedProductIsGone(t *testing.T) {
	f := newKit(t)
	require.NoError(t, f.create(coffee))
	f.Do(func(ctx context.Context, tx *store.Tx) error { return f.svc.Delete(ctx, tx, "prod_1", "discontinued") })
	f.WantOnly(events.ProductDeleted{ProductID: "prod_1", Name: "Coffee", Reason: "discontinued"})
	require.ErrorContains(t, f.update(coffee, 0, nil), store.NotFound)
	require.ErrorContains(t, f.create(coffee), store.AlreadyExists)
}

func TestOutOfStockWhenTheLastLocationIsEmpty(t *testing.T) {
	f := newKit(t)
	stock := func(location string, quantity, reserved int64) {
		available := quantity - reserved
		f.Receive(events.InventoryUpdated{ProductID: "prod_1", LocationID: location, Quantity: quantity, ReservedQuantity: &reserved, AvailableQuantity: &available, UpdateType: events.UpdateManual})
	}
	stock("", 5, 0)
	stock("berlin", 3, 0)
	stock("", 5, 5)
	f.WantOnly()
	stock("berlin", 3, 3)
	f.WantOnly(events.ProductOutOfStock{ProductID: "prod_1", LocationID: "berlin"})
	stock("berlin", 0, 0)
	f.WantOnly()
	stock("berlin", 2, 0)
	stock("warehouse_main", 5, 4) // the default location by its name
	f.WantOnly()
	f.WantIdempotent()
}

func TestWhatIsAvailableIsTheSumOfItsLocations(t *testing.T) {
	f := newKit(t)
	require.NoError(t, f.create(coffee))
	require.Nil(t, f.get().Available, "nothing is known yet")
	f.Receive(events.InventoryUpdated{ProductID: "prod_1", Quantity: 5, UpdateType: events.UpdateManual})
	f.Receive(events.InventoryUpdated{ProductID: "prod_1", LocationID: "berlin", Quantity: 3, UpdateType: events.UpdateManual})
	require.Equal(t, int64(8), *f.get().Available)
	f.View(func(ctx context.Context, r store.Reader) error {
		all, err := f.svc.List(ctx, r, catalog.Filter{Limit: 10})
		require.Len(t, all, 1)
		require.Equal(t, int64(8), *all[0].Available)
		return err
	})
}

func TestAStaleStockLevelIsIgnored(t *testing.T) {
	f := newKit(t)
	f.Receive(events.InventoryUpdated{ProductID: "prod_1", Quantity: 5, UpdateType: events.UpdateManual})
	f.ReceiveForeign(events.InventoryUpdated{ProductID: "prod_1", Quantity: 0, UpdateType: events.UpdateManual}, f.Now().Add(-time.Minute))
	f.WantIgnored("stale: a newer stock level is known")
	f.WantOnly()
}
