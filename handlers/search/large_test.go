package search_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/handlers/search"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// catalogue makes up products: their words are as unevenly spread as a language's.
type catalogue struct {
	words    []string
	products int
	seed     uint64
}

func newCatalogue(products int) catalogue {
	c := catalogue{products: products, seed: 7}
	random := rand.New(rand.NewPCG(c.seed, 0))
	syllables := strings.Fields("ba ko ri ten mar lo vi sun da per cha no gri el tor fi men za qui wel am ost ur kel pra sho bin dro")
	for range 20_000 {
		word := ""
		for range 2 + random.IntN(3) {
			word += syllables[random.IntN(len(syllables))]
		}
		c.words = append(c.words, word)
	}
	return c
}

func (c catalogue) text(random *rand.Rand, n int) string {
	zipf := rand.NewZipf(random, 1.1, 20, uint64(len(c.words)-1))
	words := make([]string, n)
	for i := range words {
		words[i] = c.words[zipf.Uint64()]
	}
	return strings.Join(words, " ")
}

func (c catalogue) product(i int) events.ProductCreated {
	random := rand.New(rand.NewPCG(c.seed, uint64(i)))
	return events.ProductCreated{
		ProductID: fmt.Sprintf("prod_%06d", i), Name: c.text(random, 3), Description: c.text(random, 20), CategoryID: fmt.Sprintf("category_%02d", random.IntN(40)),
		Price: events.Money(random.Int64N(100_000)), SKU: fmt.Sprintf("SKU-%06d", i), IsActive: random.IntN(10) > 0,
	}
}

// Count implements router.Recorder.
func (c catalogue) Count(context.Context, []string) (int64, error) { return int64(c.products), nil }

// Read implements router.Recorder.
func (c catalogue) Read(_ context.Context, _ []string, after string) (page []router.Recorded, next string, more bool, err error) {
	from, _ := strconv.Atoi(after)
	for i := from; i < min(from+1000, c.products); i++ {
		p, id := c.product(i), uuid.Must(uuid.NewV7())
		raw, err := events.Encode(events.Envelope{
			EventID: id, CorrelationID: id.String(), Timestamp: time.Unix(1_700_000_000, 0).UTC(), SourceService: events.CatalogService, EventVersion: "1.0", EventType: "product.created",
		}, p)
		if err != nil {
			return nil, "", false, err
		}
		page = append(page, router.Recorded{EventID: id, Topic: p.Contract().Topic(), Key: p.ProductID, Sequence: 1, Payload: raw})
	}
	return page, strconv.Itoa(from + len(page)), from+len(page) < c.products, nil
}

// queries are what people look for: one to three words, rare ones and common ones, some cut short, some misspelt, some with a
// filter; one in ten looks through all or through a category.
func (c catalogue) queries(n int) (all []search.Query) {
	random := rand.New(rand.NewPCG(c.seed, 1<<40))
	yes := true
	for i := range n {
		q := search.Query{Text: c.text(random, 1+i%3), Limit: 20}
		switch i % 5 {
		case 1:
			q.Text = q.Text[:len(q.Text)-2]
		case 2:
			at := random.IntN(len(q.Text) - 2)
			q.Text = q.Text[:at] + q.Text[at+1:]
		case 3:
			q.Category, q.Active = fmt.Sprintf("category_%02d", random.IntN(40)), &yes
		case 4:
			q.Sort = search.ByPrice
		}
		if i%10 == 9 {
			q.Text = ""
			if i%20 == 9 {
				q.Category = fmt.Sprintf("category_%02d", random.IntN(40))
			}
		}
		all = append(all, q)
	}
	return all
}

// priced are those of people who look through prices, wide ranges and narrow ones, in all products or in a category.
func (c catalogue) priced(n int) (all []search.Query) {
	random := rand.New(rand.NewPCG(c.seed, 1<<41))
	for i := range n {
		low := events.Money(random.Int64N(100_000))
		high := low + events.Money(random.Int64N(20))
		if i%2 == 0 {
			high = low + events.Money(random.Int64N(50_000))
		}
		q := search.Query{MinPrice: &low, MaxPrice: &high, Limit: 20, Sort: search.Sorts[i%len(search.Sorts)]}
		if i%3 == 0 {
			q.Category = fmt.Sprintf("category_%02d", random.IntN(40))
		}
		all = append(all, q)
	}
	return all
}

// BenchmarkHundredThousandProducts reports how long a rebuild takes, how large the database is, and how fast searches are:
// make bench-search. With TEST_POSTGRES it does so on PostgreSQL.
func BenchmarkHundredThousandProducts(b *testing.B) {
	c := newCatalogue(100_000)
	f := newKit(b)
	began := time.Now()
	standing := f.RebuildFrom(c, false)
	rebuilt := time.Since(began)
	require.Equal(b, router.RebuildDone, standing.State, standing.Detail)
	var took, browsed, priced []time.Duration // for words, without, and by price
	found, counted := int64(0), 0
	for b.Loop() {
		for _, q := range c.queries(1000) {
			began := time.Now()
			page := f.find(q)
			if q.Text == "" {
				browsed = append(browsed, time.Since(began))
				continue
			}
			took = append(took, time.Since(began))
			found += page.Total
			if !page.AtLeast {
				counted++
			}
		}
		for _, q := range c.priced(300) {
			began := time.Now()
			f.find(q)
			priced = append(priced, time.Since(began))
		}
	}
	require.Positive(b, found)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rebuilt.Seconds(), "rebuild-s")
	b.ReportMetric(float64(f.size())/(1<<20), "MB")
	b.ReportMetric(milliseconds(took, 0.5), "p50-ms")
	b.ReportMetric(milliseconds(took, 0.95), "p95-ms")
	b.ReportMetric(milliseconds(browsed, 0.5), "p50-ms-browsing")
	b.ReportMetric(milliseconds(browsed, 0.95), "p95-ms-browsing")
	b.ReportMetric(milliseconds(priced, 0.5), "p50-ms-prices")
	b.ReportMetric(milliseconds(priced, 0.95), "p95-ms-prices")
	b.ReportMetric(float64(found)/float64(len(took)), "counted/query")
	b.ReportMetric(100*float64(counted)/float64(len(took)), "%-all-counted")
}

func milliseconds(took []time.Duration, share float64) float64 {
	slices.Sort(took)
	return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
}

// size is what products and their index take on the disk.
func (f fixture) size() (n int64) {
	f.View(func(ctx context.Context, r store.Reader) error {
		query := "SELECT SUM(pgsize) FROM dbstat WHERE name NOT LIKE 'inbox%' AND name NOT LIKE 'sqlite_autoindex_inbox%'"
		if r.Kind() == store.PostgreSQL {
			query = "SELECT pg_total_relation_size('products') + pg_total_relation_size('words') + pg_total_relation_size('word_trigrams')"
		}
		return r.QueryRow(ctx, query).Scan(&n)
	})
	return n
}
