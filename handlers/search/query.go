package search

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/store"
)

// Sort is an order of what was found.
type Sort string

// The orders of a search. Without words to look for, relevance is the order of ids.
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
)

// Find looks for products.
func (s *Service) Find(ctx context.Context, r store.Reader, q Query) (found Found, err error) {
	if len(q.Text) > longestText {
		return found, store.Refuse(store.InvalidValue, "", "q is longer than %d bytes", longestText)
	}
	terms, corrections, err := termsOf(ctx, r, q.Text)
	if err != nil {
		return found, err
	}
	found.Corrections = corrections
	plan, err := planOf(r.Kind(), q, terms)
	if err != nil {
		return found, err
	}
	if err := found.count(ctx, r, plan); err != nil {
		return found, fmt.Errorf("counting what was found: %w", err)
	}
	found.Items, err = store.All(ctx, r, func(row store.Scanner) (h Hit, err error) {
		h.Product, err = scanProduct(row, &h.Score, &h.sortedBy)
		if plan.byScore { // to its last digit, which SQLite does not write
			h.sortedBy = strconv.FormatFloat(h.Score, 'g', -1, 64)
		}
		highlight(&h, terms)
		return h, err
	}, plan.page, plan.pageArgs...)
	return found, err
}

func (f *Found) count(ctx context.Context, r store.Reader, p plan) error {
	f.Facets.Categories = map[string]int64{}
	low, high := events.Money(math.MaxInt64), events.Money(-1)
	_, err := store.All(ctx, r, func(row store.Scanner) (struct{}, error) {
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
	}, p.facets, p.facetArgs...)
	if f.Total > 0 {
		f.Facets.MinPrice, f.Facets.MaxPrice = &low, &high
	}
	return err
}

// order is how a Sort is said in SQL. Its column is written as text into the cursor; cast brings it back.
type order struct {
	column, cast string
	down         bool
}

var orders = map[Sort]order{
	ByRelevance: {"score", "DOUBLE PRECISION", true},
	ByPrice:     {"price", "BIGINT", false}, ByPriceDown: {"price", "BIGINT", true},
	ByName: {"name_words", "TEXT", false}, ByNameDown: {"name_words", "TEXT", true},
	ByNewest: {"at", "BIGINT", true},
}

var byID = order{"product_id", "TEXT", false}

// plan are the two statements of a search.
type plan struct {
	facets, page        string
	facetArgs, pageArgs []any
	byScore             bool
}

func planOf(kind store.Kind, q Query, terms []term) (p plan, err error) {
	if q.Sort == "" {
		q.Sort = ByRelevance
	}
	by, known := orders[q.Sort]
	if !known {
		return p, store.Refuse(store.InvalidValue, "", "sort must be one of %v", Sorts)
	}
	var c conditions
	hits, score := "hits AS", "CAST(0 AS DOUBLE PRECISION)"
	from := "products AS p"
	switch {
	case len(terms) > 0:
		of := engines[kind]
		number := c.add(of.condition, of.match(terms))
		from, score, hits = of.from, strings.ReplaceAll(of.score, "$match", "$"+strconv.Itoa(number)), "hits AS MATERIALIZED"
	case q.Sort == ByRelevance:
		by = byID
	}
	c.filter(q)
	where := " WHERE " + strings.Join(c.all, " AND ")
	p.facets, p.facetArgs = "SELECT category_id, is_active, COUNT(*), MIN(price), MAX(price) FROM "+from+where+" GROUP BY category_id, is_active", slices.Clone(c.args)

	p.byScore = by.column == "score"
	after, direction, beyond := "", "", ">"
	if by.down {
		direction, beyond = " DESC", "<"
	}
	if q.After != "" {
		value, id, err := q.position(by)
		if err != nil {
			return p, err
		}
		c.args = append(c.args, value, id)
		after = fmt.Sprintf(" WHERE (%s, product_id) %s (CAST($%d AS %s), $%d)", by.column, beyond, len(c.args)-1, by.cast, len(c.args))
	}
	p.pageArgs = append(c.args, q.Limit)
	names := ""
	if by.column == "name_words" {
		names = ", p.name_words"
	}
	// What is sorted is narrow: the rest of a product is read for the page alone.
	p.page = fmt.Sprintf(`WITH %s (SELECT p.doc, p.product_id, p.price, p.at%s, %s AS score FROM %s%s),
		page AS MATERIALIZED (SELECT doc, score, CAST(%s AS TEXT) AS place FROM hits%s ORDER BY %s%s, product_id%s LIMIT $%d)
		SELECT %s, score, place FROM page JOIN products ON products.doc = page.doc ORDER BY %s%s, product_id%s`,
		hits, names, score, from, where, by.column, after, by.column, direction, direction, len(p.pageArgs), columns, by.column, direction, direction)
	return p, nil
}

// conditions are what a hit must meet, with their arguments.
type conditions struct {
	all  []string
	args []any
}

// add adds a condition on one argument, whose number replaces %d, and answers the number.
func (c *conditions) add(condition string, argument any) int {
	c.args = append(c.args, argument)
	c.all = append(c.all, fmt.Sprintf(condition, len(c.args)))
	return len(c.args)
}

func (c *conditions) filter(q Query) {
	c.all = append(c.all, "deleted = 0")
	if q.Category != "" {
		c.add("category_id = $%d", q.Category)
	}
	if q.Active != nil {
		c.add("is_active = $%d", store.Bit(*q.Active))
	}
	if q.MinPrice != nil {
		c.add("price >= $%d", int64(*q.MinPrice))
	}
	if q.MaxPrice != nil {
		c.add("price <= $%d", int64(*q.MaxPrice))
	}
}

// position reads a cursor.
func (q Query) position(by order) (value any, id string, err error) {
	text, id, ok := strings.Cut(q.After, cursorMark)
	switch by.cast {
	case "BIGINT":
		value, err = strconv.ParseInt(text, 10, 64)
	case "DOUBLE PRECISION":
		value, err = strconv.ParseFloat(text, 64)
	default:
		value = text
	}
	if !ok || err != nil {
		return nil, "", store.Refuse(store.InvalidValue, "", "cursor is none that this search gave out")
	}
	return value, id, nil
}
