package search

import (
	"fmt"
	"strings"

	"github.com/first-viscount/viscount/store"
)

// part is a part of what matches. Of what is common, the parts are read one after the other, so that the best hits are found
// without ranking all: what is in the name comes first.
type part int

const (
	anywhere   part = iota
	allInName       // every word in the name
	someInName      // not every one
	noneInName      // but elsewhere
)

// engine is a database's full text.
type engine struct {
	matching string // where products are read by a match,
	walking  string // and where in the order of an index %s, what matches picked out
	within   string // the condition that picks them, if it is not match's own
	shelves  string // where without words, shelf by shelf; "" where the planner knows better, from its statistics
	doc      string // the product's place, which matches come in the order of
	score    string // how well one matches; %d, if it stands there, is all's argument
	match    func(terms []term, p part) []condition
	all      func(terms []term) string
}

// condition is one on an argument, which %d stands for.
type condition struct {
	sql      string
	argument any
}

// A word in the name counts ten times as much as one in the description, in the SKU six times, in the attributes three times.
var engines = map[store.Kind]engine{
	store.SQLite: {
		matching: "product_index JOIN products AS p INDEXED BY products_narrow ON p.doc = product_index.rowid",
		walking:  "products AS p INDEXED BY %s",
		shelves:  "shelves CROSS JOIN products AS p INDEXED BY products_browsed", // in this order
		within:   "p.doc IN (SELECT rowid FROM product_index WHERE product_index MATCH $%d)",
		doc:      "product_index.rowid",
		score:    "-bm25(product_index, 10.0, 6.0, 3.0, 1.0)",
		match:    matchFTS5,
		all:      func(terms []term) string { return fts5(terms, " AND ") },
	},
	store.PostgreSQL: {
		matching: "products AS p",
		walking:  "products AS p",
		doc:      "p.doc",
		score:    "CAST(ts_rank('{0.1, 0.3, 0.6, 1.0}', words_index, ($%d::text)::tsquery) AS DOUBLE PRECISION)",
		match:    matchTSQuery,
		all:      func(terms []term) string { return tsquery(terms, " & ") },
	},
}

func matchFTS5(terms []term, p part) []condition {
	all, some := fts5(terms, " AND "), "{name_words} : ("+fts5(terms, " OR ")+")"
	query := all
	switch p {
	case allInName:
		query = "{name_words} : (" + all + ")"
	case someInName:
		query = "((" + all + ") AND " + some + ") NOT {name_words} : (" + all + ")"
	case noneInName:
		query = "(" + all + ") NOT " + some
	}
	return []condition{{"product_index MATCH $%d", query}}
}

func matchTSQuery(terms []term, p part) []condition {
	const words, name = "words_index @@ ($%d::text)::tsquery", "name_index @@ ($%d::text)::tsquery"
	all, some := tsquery(terms, " & "), tsquery(terms, " | ")
	switch p {
	case allInName:
		return []condition{{name, all}}
	case someInName:
		return []condition{{words, all}, {name, some}, {"NOT " + name, all}}
	case noneInName:
		return []condition{{words, all}, {"NOT " + name, some}}
	default:
		return []condition{{words, all}}
	}
}

// fts5 writes the terms as SQLite's FTS5 takes them. Words are letters and digits, so that quotes hold them.
func fts5(terms []term, between string) string {
	return joined(terms, between, " OR ", func(word string, prefix bool) string {
		word = `"` + word + `"`
		if prefix {
			word += "*"
		}
		return word
	})
}

// tsquery writes the terms as PostgreSQL's tsquery takes them.
func tsquery(terms []term, between string) string {
	return joined(terms, between, " | ", func(word string, prefix bool) string {
		word = `'` + word + `'`
		if prefix {
			word += ":*"
		}
		return word
	})
}

func joined(terms []term, between, or string, write func(word string, prefix bool) string) string {
	all := make([]string, len(terms))
	for i, t := range terms {
		words := make([]string, len(t.words))
		for j, word := range t.words {
			words[j] = write(word, t.prefix)
		}
		all[i] = "(" + strings.Join(words, or) + ")"
	}
	return strings.Join(all, between)
}

// conditions are what a hit must meet, with their arguments.
type conditions struct {
	all  []string
	args []any
}

// argument adds an argument and answers the text with its number for %d.
func (c *conditions) argument(text string, argument any) string {
	c.args = append(c.args, argument)
	return fmt.Sprintf(text, len(c.args))
}

func (c *conditions) add(sql string, argument any) { c.all = append(c.all, c.argument(sql, argument)) }

func (c *conditions) where() string { return " WHERE " + strings.Join(c.all, " AND ") }

// hits are what the query's filters leave of the products that stand.
func (c *conditions) hits(q Query) {
	c.all = append(c.all, "p.deleted = 0")
	c.filter("p", q)
	if q.MinPrice != nil {
		c.add("p.price >= $%d", int64(*q.MinPrice))
	}
	if q.MaxPrice != nil {
		c.add("p.price <= $%d", int64(*q.MaxPrice))
	}
}

// filter picks by what products and shelves both know.
func (c *conditions) filter(table string, q Query) {
	if q.Category != "" {
		c.add(table+".category_id = $%d", q.Category)
	}
	if q.Active != nil {
		c.add(table+".is_active = $%d", store.Bit(*q.Active))
	}
}
