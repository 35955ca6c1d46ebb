package search

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/first-viscount/viscount/store"
)

// order is how a Sort is said in SQL. Its column is written as text into the cursor; cast brings it back.
type order struct {
	column, cast string
	down         bool
	index        string // that has this order
}

var orders = map[Sort]order{
	ByRelevance: byScore,
	ByPrice:     {"price", "BIGINT", false, "products_by_price"}, ByPriceDown: {"price", "BIGINT", true, "products_by_price"},
	ByName: {"name_words", "TEXT", false, "products_by_name"}, ByNameDown: {"name_words", "TEXT", true, "products_by_name"},
	ByNewest: {"at", "BIGINT", true, "products_by_time"},
}

var (
	byScore = order{column: "score", cast: "DOUBLE PRECISION", down: true}
	byID    = order{column: "product_id", cast: "TEXT", index: "sqlite_autoindex_products_1"} // of its UNIQUE
	byDoc   = order{column: "doc", cast: "BIGINT"}                                            // the order of the index, in which nothing needs sorting
)

func (o order) String() string {
	direction := ""
	if o.down {
		direction = " DESC"
	}
	if o == byDoc {
		return o.column
	}
	return o.column + direction + ", product_id" + direction
}

// look is one search.
type look struct {
	Query
	engine

	reader store.Reader
	terms  []term
	most   int  // hits that are counted
	common bool // that many match, or more
}

// from is where hits are read; the conditions gain what picks them.
func (l look) from(c *conditions, p part) string {
	for _, one := range l.match(l.terms, p) {
		c.add(one.sql, one.argument)
	}
	return l.matching
}

// shelf is where the hits of a search without words are read, shelf by shelf where the database would not find them as well.
func (l look) shelf(c *conditions) string {
	if l.shelves == "" {
		return l.walking
	}
	c.all = append(c.all, "shelves.products > 0", "p.category_id = shelves.category_id", "p.is_active = shelves.is_active")
	c.filter("shelves", l.Query)
	return l.shelves
}

// along is where hits are read in the order of an index: for what is so common that the next hit is never far.
func (l look) along(c *conditions, index string) string {
	if len(l.terms) > 0 {
		if l.within == "" {
			return l.from(c, anywhere)
		}
		c.add(l.within, l.all(l.terms))
	}
	return strings.Replace(l.walking, "%s", index, 1)
}

// facets counts hits: by shelves where they tell, else as many as are counted at most.
func (l look) facets() (query string, args []any) {
	var c conditions
	if l.onShelves() {
		const price = "(price) FROM products AS p WHERE p.deleted = 0 AND p.category_id = shelves.category_id AND p.is_active = shelves.is_active)"
		c.all = []string{"products > 0"}
		c.filter("shelves", l.Query)
		return "SELECT category_id, is_active, products, (SELECT MIN" + price + ", (SELECT MAX" + price + " FROM shelves" + c.where(), c.args
	}
	var from string
	switch {
	case len(l.terms) == 0:
		from = l.shelf(&c)
	case l.Category != "": // which is narrower than a common word
		from = l.along(&c, "products_browsed")
	default:
		from = l.from(&c, anywhere)
	}
	c.hits(l.Query)
	return "SELECT category_id, is_active, COUNT(*), MIN(price), MAX(price) FROM (SELECT p.category_id, p.is_active, p.price FROM " + from + c.where() +
		" LIMIT " + strconv.Itoa(l.most) + ") AS hits GROUP BY category_id, is_active", c.args
}

// onShelves tells whether the hits are whole shelves, which are counted already: no words and no prices pick among them.
func (l look) onShelves() bool { return len(l.terms) == 0 && l.MinPrice == nil && l.MaxPrice == nil }

// sorted reads a page of all that matches.
func (l look) sorted(ctx context.Context, by order) ([]Hit, error) {
	var c conditions
	from, keep := "", ""
	switch {
	case l.common:
		from = l.along(&c, by.index)
	case len(l.terms) == 0:
		from = l.shelf(&c)
	default:
		from, keep = l.from(&c, anywhere), " MATERIALIZED" // few: sorted whole
	}
	return l.page(ctx, c, from, keep, by, l.After)
}

// best reads a page of what matches, the best first: all ranked, or part by part.
func (l look) best(ctx context.Context) (found []Hit, err error) {
	parts, by, after := l.parts(), byScore, ""
	if l.After != "" {
		var at part
		if at, by, after, err = placeOf(l.After); err != nil {
			return nil, err
		}
		parts = []part{at}
		if at != anywhere {
			for p := at + 1; p <= noneInName; p++ {
				parts = append(parts, p)
			}
		}
	}
	for i := 0; i < len(parts) && len(found) < l.Limit; i++ {
		if i > 0 || after == "" {
			after = ""
			if by, err = l.orderOf(ctx, parts[i]); err != nil {
				return nil, err
			}
		}
		rest := l
		rest.Limit -= len(found)
		hits, err := rest.ranked(ctx, parts[i], by, after)
		if err != nil {
			return nil, err
		}
		for _, h := range hits {
			h.sortedBy = strconv.Itoa(int(parts[i])) + by.column + " " + h.sortedBy
			found = append(found, h)
		}
	}
	return found, nil
}

func (l look) parts() []part {
	if l.common {
		return []part{allInName, someInName, noneInName}
	}
	return []part{anywhere}
}

// placeOf reads where in which part a cursor stands. Its order holds for the part to its end, whatever is common by then.
func placeOf(cursor string) (p part, by order, after string, err error) {
	place, after, _ := strings.Cut(cursor, " ")
	for p = anywhere; p <= noneInName; p++ {
		for _, by = range []order{byScore, byDoc} {
			if place == strconv.Itoa(int(p))+by.column {
				return p, by, after, nil
			}
		}
	}
	return 0, by, "", errCursor
}

var errCursor = store.Refuse(store.InvalidValue, "", "cursor is none that this search gave out")

// orderOf chooses the order of a part. One with more hits than are counted is not ranked: its words are so common there that
// one product has them as well as another.
func (l look) orderOf(ctx context.Context, p part) (order, error) {
	if p == anywhere {
		return byScore, nil
	}
	var c conditions
	from := l.from(&c, p)
	c.hits(l.Query)
	n, _, err := store.One(ctx, l.reader, func(row store.Scanner) (n int64, err error) { return n, row.Scan(&n) },
		"SELECT COUNT(*) FROM (SELECT 1 FROM "+from+c.where()+" LIMIT "+strconv.Itoa(l.most)+") AS hits", c.args...)
	if n < int64(l.most) {
		return byScore, err
	}
	return byDoc, err
}

func (l look) ranked(ctx context.Context, p part, by order, after string) ([]Hit, error) {
	var c conditions
	from := l.from(&c, p)
	if by == byDoc {
		return l.page(ctx, c, from, "", by, after)
	}
	return l.page(ctx, c, from, " MATERIALIZED", by, after)
}

// page reads the hits of one order after a place in it. What is sorted is narrow: the rest of a product is read for the page alone.
func (l look) page(ctx context.Context, c conditions, from, keep string, by order, after string) ([]Hit, error) {
	c.hits(l.Query)
	score, name, beyond := "CAST(0 AS DOUBLE PRECISION)", "", ""
	switch by.column {
	case byScore.column:
		score = l.score
		if strings.Contains(score, "%d") {
			score = c.argument(score, l.all(l.terms))
		}
	case "name_words":
		name = ", p.name_words"
	}
	if after != "" {
		value, id, err := position(after, by)
		if err != nil {
			return nil, err
		}
		if by == byDoc {
			c.add(l.doc+" > $%d", value)
		} else {
			sign := ">"
			if by.down {
				sign = "<"
			}
			beyond = c.argument(" WHERE ("+by.column+", product_id) "+sign+" (CAST($%d AS "+by.cast+"), ", value) + c.argument("$%d)", id)
		}
	}
	doc := "p.doc"
	if by == byDoc {
		doc = l.doc
	}
	where := c.where()
	query := fmt.Sprintf(`WITH hits AS%s (SELECT %s AS doc, p.product_id, p.price, p.at%s, %s AS score FROM %s%s),
		page AS MATERIALIZED (SELECT doc, score, CAST(%s AS TEXT) AS place FROM hits%s ORDER BY %s %s)
		SELECT %s, score, place FROM page JOIN products ON products.doc = page.doc ORDER BY %s`,
		keep, doc, name, score, from, where, by.column, beyond, by, c.argument("LIMIT $%d", l.Limit), columns, strings.Replace(by.String(), "doc", "page.doc", 1))
	return store.All(ctx, l.reader, func(row store.Scanner) (h Hit, err error) {
		h.Product, err = scanProduct(row, &h.Score, &h.sortedBy)
		if by == byScore { // to its last digit, which SQLite does not write
			h.sortedBy = strconv.FormatFloat(h.Score, 'g', -1, 64)
		}
		highlight(&h, l.terms)
		return h, err
	}, query, c.args...)
}

// position reads a cursor.
func position(after string, by order) (value any, id string, err error) {
	text, id, ok := strings.Cut(after, cursorMark)
	switch by.cast {
	case "BIGINT":
		value, err = strconv.ParseInt(text, 10, 64)
	case "DOUBLE PRECISION":
		value, err = strconv.ParseFloat(text, 64)
	default:
		value = text
	}
	if !ok || err != nil {
		return nil, "", errCursor
	}
	return value, id, nil
}
