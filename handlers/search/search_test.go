package search_test

import (
	"context"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/search"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

func TestMain(m *testing.M) { routertest.Main(m) }

type fixture struct {
	*routertest.Kit
	svc *search.Service
}

func newKit(t testing.TB) fixture {
	s := &search.Service{}
	return fixture{svc: s, Kit: routertest.New(t, search.Migrations, router.On(s.IndexCreated), router.On(s.IndexUpdated), router.On(s.Remove),
		router.Rebuild{Tables: search.Projection})}
}

var coffee = events.ProductCreated{
	ProductID: "prod_1", Name: "Organic Café Crème", Description: "Roasted in Viscount Harbour.", CategoryID: "drinks", Price: 2499, SKU: "CFC-100", IsActive: true,
	Attributes: jsontext.Value(`{"weight":"1kg","organic":true,"decaf":false,"tags":["fair trade",7]}`),
}

func changed(price events.Money, name string) events.ProductUpdated {
	return events.ProductUpdated{
		ProductID: coffee.ProductID, Name: name, CategoryID: coffee.CategoryID, Price: price, SKU: coffee.SKU, IsActive: true,
		Changes: []events.Change{{Field: "price", OldValue: jsontext.Value(`"24.99"`), NewValue: jsontext.Value(`"19.99"`)}},
	}
}

func (f fixture) text(query string, args ...any) (text string) {
	f.View(func(ctx context.Context, r store.Reader) error { return r.QueryRow(ctx, query, args...).Scan(&text) })
	return text
}

func (f fixture) count(query string, args ...any) (n int64) {
	f.View(func(ctx context.Context, r store.Reader) error { return r.QueryRow(ctx, query, args...).Scan(&n) })
	return n
}

func TestAProductIsIndexedByItsWords(t *testing.T) {
	f := newKit(t)
	f.Receive(coffee)
	f.WantApplied()
	require.Equal(t, "organic cafe creme", f.text("SELECT name_words FROM products"))
	require.Equal(t, "cfc 100", f.text("SELECT sku_words FROM products"))
	require.Equal(t, "weight 1kg organic tags fair trade 7", f.text("SELECT attribute_words FROM products"))
	require.Equal(t, int64(1), f.count("SELECT products FROM words WHERE word = 'organic'"), "once per product, however often it stands there")
	require.Equal(t, int64(0), f.count("SELECT COUNT(*) FROM words WHERE word = '1kg'"))
	require.Equal(t, int64(6), f.count("SELECT COUNT(*) FROM word_trigrams WHERE word = 'creme'"))
	f.WantIdempotent()
	f.WantRebuilt()
}

func TestAnUpdateReplacesAProductAndItsWords(t *testing.T) {
	f := newKit(t)
	f.Receive(coffee)
	f.Receive(changed(1999, "Organic Cocoa"))
	require.Equal(t, int64(1999), f.count("SELECT price FROM products"))
	require.Equal(t, int64(0), f.count("SELECT COUNT(*) FROM words WHERE word IN ('cafe', 'roasted')"), "words that no product has any more are forgotten")
	require.Equal(t, int64(0), f.count("SELECT COUNT(*) FROM word_trigrams WHERE word IN ('cafe', 'roasted')"))
	require.Equal(t, int64(1), f.count("SELECT products FROM words WHERE word = 'cocoa'"))
	f.WantIdempotent()
	f.WantRebuilt()
}

func TestADeletionLeavesATombstone(t *testing.T) {
	f := newKit(t)
	f.Receive(coffee)
	f.Advance(time.Minute)
	f.Receive(events.ProductDeleted{ProductID: "prod_1"})
	require.Equal(t, int64(0), f.count("SELECT COUNT(*) FROM words"))
	f.ReceiveForeign(changed(1, "Late"), f.Now().Add(-time.Second))
	f.WantIgnored("stale: a newer state of the product is known")
	require.Equal(t, int64(1), f.count("SELECT COUNT(*) FROM products WHERE deleted = 1 AND name = ''"))
	f.WantIdempotent()
	f.WantRebuilt()
}

func TestTheOrderOfTopicsDoesNotMatter(t *testing.T) {
	f := newKit(t)
	f.Record(coffee)
	f.Receive(changed(1999, "Organic Cocoa"))
	f.Arrive()
	f.WantIgnored("stale: a newer state of the product is known")
	require.Equal(t, "organic cocoa", f.text("SELECT name_words FROM products"))
	f.WantRebuilt()
	f.Receive(events.ProductDeleted{ProductID: "prod_1"})
	f.WantRebuilt()
}
