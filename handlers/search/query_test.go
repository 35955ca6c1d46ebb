package search_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/search"
	"github.com/first-viscount/viscount/store"
)

func (f fixture) find(q search.Query) (found search.Found) {
	if q.Limit == 0 {
		q.Limit = 50
	}
	f.View(func(ctx context.Context, r store.Reader) (err error) {
		found, err = f.svc.Find(ctx, r, q)
		return err
	})
	return found
}

func ids(found search.Found) []string {
	all := []string{}
	for _, h := range found.Items {
		all = append(all, h.ProductID)
	}
	return all
}

func (f fixture) create(id, name, description, category string, price events.Money, active bool) {
	f.Receive(events.ProductCreated{ProductID: id, Name: name, Description: description, CategoryID: category, Price: price, IsActive: active, SKU: "SKU-" + id})
}

// shelf has five products whose ids tell what they are.
func shelf(t *testing.T) fixture {
	f := newKit(t)
	f.create("coffee", "Organic Coffee", "Roasted slowly.", "drinks", 2499, true)
	f.create("tea", "Green Tea", "For those who do not like coffee.", "drinks", 999, true)
	f.create("cup", "Coffee Cup", "Holds coffee, and also tea & more.", "kitchen", 1200, true)
	f.create("chair", "Chaise Café", "A chair.", "furniture", 19900, false)
	f.Receive(events.ProductCreated{ProductID: "mill", Name: "Mill", CategoryID: "kitchen", Price: 4999, IsActive: true, SKU: "ML-77", Attributes: jsontext.Value(`{"colour":"crimson","for":["coffee"]}`)})
	f.create("gone", "Coffee of yesterday", "", "drinks", 1, true)
	f.Receive(events.ProductDeleted{ProductID: "gone"})
	return f
}

func TestWhatIsInTheNameComesFirst(t *testing.T) {
	f := shelf(t)
	found := f.find(search.Query{Text: "coffee"})
	require.ElementsMatch(t, []string{"coffee", "cup"}, ids(found)[:2], "the name counts most")
	require.Equal(t, []string{"mill", "tea"}, ids(found)[2:], "then attributes, then the description")
	require.Greater(t, found.Items[0].Score, found.Items[3].Score)
	require.Equal(t, int64(4), found.Total, "what is deleted is not found")
	f.WantIdempotent()
}

func TestEveryWordMustMatchAndTheLastMayBeABeginning(t *testing.T) {
	f := shelf(t)
	require.Equal(t, []string{"coffee"}, ids(f.find(search.Query{Text: "coffee org"})))
	require.Equal(t, []string{"coffee"}, ids(f.find(search.Query{Text: "ORG coffee"})), "a word that no product has is a beginning anywhere")
	require.Empty(t, ids(f.find(search.Query{Text: "organic green"})))
	require.Equal(t, []string{"chair"}, ids(f.find(search.Query{Text: "cafe"})), "accents do not matter")
	require.Equal(t, []string{"mill"}, ids(f.find(search.Query{Text: "ml-77"})))
	require.Equal(t, []string{"mill"}, ids(f.find(search.Query{Text: "colour crims"})))
	require.Len(t, ids(f.find(search.Query{Text: ` " ' & | ! ( ) * : -`})), 5, "no words: everything")
	require.Empty(t, ids(f.find(search.Query{Text: "NOT coffee OR tea"})), "words, not operators")
}

func TestMisspeltWordsAreForgiven(t *testing.T) {
	f := shelf(t)
	for _, text := range []string{"cofee", "coffe e"[:5] + "ee", "ocffee", "xoffee", "kofee"} {
		found := f.find(search.Query{Text: text})
		require.Contains(t, ids(found), "coffee", text)
		require.Equal(t, []search.Correction{{Word: text, Instead: []string{"coffee"}}}, found.Corrections, text)
	}
	found := f.find(search.Query{Text: "organc cofee"})
	require.Equal(t, []string{"coffee"}, ids(found))
	require.Len(t, found.Corrections, 2)
	require.Empty(t, ids(f.find(search.Query{Text: "spaceship"})))
	require.Empty(t, f.find(search.Query{Text: "coffee"}).Corrections)
}

func TestFiltersAndFacets(t *testing.T) {
	f := shelf(t)
	yes, no, low, high := true, false, events.Money(1000), events.Money(5000)
	found := f.find(search.Query{})
	require.Equal(t, []string{"chair", "coffee", "cup", "mill", "tea"}, ids(found))
	require.Equal(t, map[string]int64{"drinks": 2, "kitchen": 2, "furniture": 1}, found.Facets.Categories)
	require.Equal(t, []int64{4, 1}, []int64{found.Facets.Active, found.Facets.Inactive})
	require.Equal(t, "9.99 199.00", fmt.Sprint(found.Facets.MinPrice, " ", found.Facets.MaxPrice))
	require.Equal(t, []string{"chair"}, ids(f.find(search.Query{Active: &no})))
	require.Equal(t, []string{"coffee", "cup", "mill"}, ids(f.find(search.Query{Active: &yes, MinPrice: &low, MaxPrice: &high})))
	require.Equal(t, []string{"cup"}, ids(f.find(search.Query{Text: "tea", Category: "kitchen", MaxPrice: &high})))
	require.Zero(t, f.find(search.Query{Category: "nothing"}).Total)
}

func TestEveryOrderPagesThroughAll(t *testing.T) {
	f := shelf(t)
	want := map[search.Sort][]string{
		search.ByPrice: {"tea", "cup", "coffee", "mill", "chair"}, search.ByPriceDown: {"chair", "mill", "coffee", "cup", "tea"},
		search.ByName: {"chair", "cup", "tea", "mill", "coffee"}, search.ByNameDown: {"coffee", "mill", "tea", "cup", "chair"},
	}
	for _, text := range []string{"", "coffee"} {
		for _, sort := range search.Sorts {
			all := f.find(search.Query{Text: text, Sort: sort})
			if order := want[sort]; order != nil && text == "" {
				require.Equal(t, order, ids(all), sort)
			}
			var paged []string
			for q := (search.Query{Text: text, Sort: sort, Limit: 1}); len(paged) < 10; {
				page := f.find(q)
				if len(page.Items) == 0 {
					break
				}
				paged = append(paged, ids(page)...)
				q.After = page.Items[0].Cursor()
			}
			require.Equal(t, ids(all), paged, "%q by %s", text, sort)
		}
	}
	require.ErrorContains(t, f.try(search.Query{Sort: "colour"}), store.InvalidValue)
	require.ErrorContains(t, f.try(search.Query{After: "x"}), store.InvalidValue)
}

func (f fixture) try(q search.Query) (err error) {
	f.View(func(ctx context.Context, r store.Reader) error {
		_, err = f.svc.Find(ctx, r, q)
		return nil
	})
	return err
}

func TestMatchesAreHighlighted(t *testing.T) {
	f := shelf(t)
	found := f.find(search.Query{Text: "tea coffee cup"})
	require.Equal(t, "<em>Coffee</em> <em>Cup</em>", found.Items[0].Highlighted.Name)
	require.Equal(t, "Holds <em>coffee</em>, and also <em>tea</em> &amp; more.", found.Items[0].Highlighted.Description)
	require.Equal(t, "Chaise <em>Café</em>", f.find(search.Query{Text: "cafe"}).Items[0].Highlighted.Name)

	f.Advance(time.Minute)
	long := ""
	for range 30 {
		long += "many many words "
	}
	f.create("long", "Long", long+"needle "+long, "things", 1, true)
	text := f.find(search.Query{Text: "needle"}).Items[0].Highlighted.Description
	require.Contains(t, text, "<em>needle</em>")
	require.Regexp(t, "^… many .* many …$|^… words .* …$", text)
	require.Less(t, len(text), 220)
}

// Words that many products have are found part by part, and not all are counted and ranked; whoever pages on still sees every
// product once.
func TestWhatIsCommonIsFoundWhole(t *testing.T) {
	f := newKit(t)
	f.svc.MostCounted = 4
	want := []string{}
	for i := range 30 {
		id := fmt.Sprintf("p%02d", i)
		name, description := "Thing", "Green tea for all."
		switch {
		case i%10 == 0: // in three, fewer than are counted
			name = "Green Tea"
		case i%3 == 0: // in nine, too many to rank
			name = "Tea"
		}
		f.create(id, name, description, fmt.Sprint("shelf", i%2), events.Money(i), i%4 > 0)
		want = append(want, id)
	}
	f.create("other", "Coffee", "", "shelf0", 1, true)
	for _, sort := range search.Sorts {
		for _, limit := range []int{1, 4, 7, 50} {
			q := search.Query{Text: "green te", Sort: sort, Limit: limit}
			require.ElementsMatch(t, want, f.through(q), "by %s, %d a page", sort, limit)
			q.Category = "shelf1"
			require.Len(t, f.through(q), 15, "by %s, %d a page", sort, limit)
		}
	}
	require.Equal(t, want, f.through(search.Query{Text: "green", Sort: search.ByPrice, Limit: 4}))
	found := f.find(search.Query{Text: "green tea"})
	require.True(t, found.AtLeast)
	require.Equal(t, []int64{4, 4}, []int64{found.Total, found.Facets.Active + found.Facets.Inactive})
	require.ElementsMatch(t, []string{"p00", "p10", "p20"}, ids(found)[:3], "all in the name come first")
	require.ElementsMatch(t, []string{"p03", "p06", "p09", "p12", "p15", "p18", "p21", "p24", "p27"}, ids(found)[3:12], "then some in the name")
	require.Positive(t, found.Items[0].Score)
	require.Zero(t, found.Items[3].Score, "too many to rank")

	few := f.find(search.Query{Text: "coffee"})
	require.False(t, few.AtLeast)
	require.Equal(t, int64(1), few.Total)
	require.False(t, f.find(search.Query{}).AtLeast, "all products are counted")
	require.ErrorContains(t, f.try(search.Query{Text: "green", After: "9score 1\x00p00"}), store.InvalidValue)
}

// A cursor holds when what it was given out for becomes common, or rare, before the next page.
func TestACursorHoldsWhileProductsChange(t *testing.T) {
	f := shelf(t)
	all := ids(f.find(search.Query{Text: "coffee"}))
	first := f.find(search.Query{Text: "coffee", Limit: 2})
	f.svc.MostCounted = 2
	require.Equal(t, all[2:], ids(f.find(search.Query{Text: "coffee", After: first.Items[1].Cursor()})))
	first = f.find(search.Query{Text: "coffee", Limit: 1})
	f.svc.MostCounted = 0
	rest := ids(f.find(search.Query{Text: "coffee", After: first.Items[0].Cursor()}))
	require.ElementsMatch(t, all, append(ids(first), rest...))
}

const more = 100 // products than any of the tests has

// through reads every page, as long as they come to an end.
func (f fixture) through(q search.Query) []string {
	all := []string{}
	for len(all) < more {
		page := f.find(q)
		all = append(all, ids(page)...)
		if len(page.Items) < q.Limit {
			break
		}
		q.After = page.Items[len(page.Items)-1].Cursor()
	}
	return all
}
