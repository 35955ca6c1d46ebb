package search

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Sort is an order of what was found.
type Sort string

// The orders of a search. Without words to look for, relevance is the order of ids. Of words that more products have than are
// counted, those that have all in their name come first, then those that have some there; of these parts, one that is as large
// again is not ranked.
const (
	ByRelevance Sort = "relevance"
	ByPrice     Sort = "price"
	ByPriceDown Sort = "-price"
	ByName      Sort = "name"
	ByNameDown  Sort = "-name"
	ByNewest    Sort = "newest" // changed last
)

// Sorts are the orders of a search.
var Sorts = []Sort{ByRelevance, ByPrice, ByPriceDown, ByName, ByNameDown, ByNewest}

// Query is what somebody looks for.
type Query struct {
	Text               string
	Category           string
	MinPrice, MaxPrice *events.Money
	Active             *bool
	Sort               Sort
	After              string // Hit.Cursor of the last hit of the page before
	Limit              int
}

// Hit is a product that was found.
type Hit struct {
	Product
	Score       float64    `json:"score,omitzero"`
	Highlighted Highlights `json:"highlighted,omitzero"`
	sortedBy    string
}

// Highlights are the texts of a hit as HTML: what matched is in <em>.
type Highlights struct {
	Name        string `json:"name,omitzero"`
	Description string `json:"description,omitzero"` // the part around the first match
}

// Cursor is where the hit stands in the order.
func (h Hit) Cursor() string { return h.sortedBy + cursorMark + h.ProductID }

const cursorMark = "\x00" // stands in no product

// Found is a page of hits, with what is true of all of them.
type Found struct {
	Items       []Hit
	Total       int64
	AtLeast     bool // Total is Service.MostCounted: there may be more, and Facets count only so many
	Facets      Facets
	Corrections []Correction
}

// Facets count what was found.
type Facets struct {
	Categories map[string]int64 `json:"categories"`
	Active     int64            `json:"active"`
	Inactive   int64            `json:"inactive"`
	MinPrice   *events.Money    `json:"min_price,omitzero"`
	MaxPrice   *events.Money    `json:"max_price,omitzero"`
}

// Correction is a word that no product has, with those that were looked for instead.
type Correction struct {
	Word    string   `json:"word"`
	Instead []string `json:"instead"`
}

const (
	longestText = 256
	mostTerms   = 16
	mostCounted = 1000
)

// Find looks for products.
func (s *Service) Find(ctx context.Context, r store.Reader, q Query) (found Found, err error) {
	if len(q.Text) > longestText {
		return found, store.Refuse(store.InvalidValue, "", "q is longer than %d bytes", longestText)
	}
	if q.Sort == "" {
		q.Sort = ByRelevance
	}
	by, known := orders[q.Sort]
	if !known {
		return found, store.Refuse(store.InvalidValue, "", "sort must be one of %v", Sorts)
	}
	l := look{Query: q, engine: engines[r.Kind()], reader: r, most: cmp.Or(s.MostCounted, mostCounted)}
	if l.terms, found.Corrections, err = termsOf(ctx, r, q.Text); err != nil {
		return found, err
	}
	if err := found.count(ctx, l); err != nil {
		return found, fmt.Errorf("counting what was found: %w", err)
	}
	l.common = found.Total >= int64(l.most)
	switch {
	case by != byScore:
		found.Items, err = l.sorted(ctx, by)
	case len(l.terms) > 0:
		found.Items, err = l.best(ctx)
	default:
		found.Items, err = l.sorted(ctx, byID)
	}
	return found, err
}

func (f *Found) count(ctx context.Context, l look) error {
	f.Facets.Categories = map[string]int64{}
	low, high := events.Money(math.MaxInt64), events.Money(-1)
	query, args := l.facets()
	_, err := store.All(ctx, l.reader, func(row store.Scanner) (struct{}, error) {
		var category string
		var active bool
		var n, least, most int64
		err := row.Scan(&category, &active, &n, &least, &most)
		f.Total += n
		f.Facets.Categories[category] += n
		if active {
			f.Facets.Active += n
		} else {
			f.Facets.Inactive += n
		}
		low, high = min(low, events.Money(least)), max(high, events.Money(most))
		return struct{}{}, err
	}, query, args...)
	if f.Total > 0 {
		f.Facets.MinPrice, f.Facets.MaxPrice = &low, &high
	}
	f.AtLeast = !l.onShelves() && f.Total >= int64(l.most)
	return err
}
