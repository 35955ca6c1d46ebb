package search

import (
	"strings"

	"github.com/first-viscount/viscount/store"
)

// engine is a database's full text: where products are read that meet the condition on a match, and how well one matches. %d and
// $match are the match's argument.
type engine struct {
	from, condition, score string
	match                  func(terms []term) string
}

// A word in the name counts ten times as much as one in the description, in the SKU six times, in the attributes three times.
var engines = map[store.Kind]engine{
	store.SQLite: {
		from:      "product_index JOIN products AS p INDEXED BY products_narrow ON p.doc = product_index.rowid",
		condition: "product_index MATCH $%d",
		score:     "-bm25(product_index, 10.0, 6.0, 3.0, 1.0)",
		match:     matchFTS5,
	},
	store.PostgreSQL: {
		from:      "products AS p",
		condition: "words_index @@ ($%d::text)::tsquery",
		score:     "CAST(ts_rank('{0.1, 0.3, 0.6, 1.0}', words_index, ($match::text)::tsquery) AS DOUBLE PRECISION)",
		match:     matchTSQuery,
	},
}

// matchFTS5 writes the terms as SQLite's FTS5 takes them. Words are letters and digits, so that quotes hold them.
func matchFTS5(terms []term) string {
	return joined(terms, " AND ", " OR ", func(word string, prefix bool) string {
		word = `"` + word + `"`
		if prefix {
			word += "*"
		}
		return word
	})
}

// matchTSQuery writes the terms as PostgreSQL's tsquery takes them.
func matchTSQuery(terms []term) string {
	return joined(terms, " & ", " | ", func(word string, prefix bool) string {
		word = `'` + word + `'`
		if prefix {
			word += ":*"
		}
		return word
	})
}

func joined(terms []term, and, or string, write func(word string, prefix bool) string) string {
	all := make([]string, len(terms))
	for i, t := range terms {
		words := make([]string, len(t.words))
		for j, word := range t.words {
			words[j] = write(word, t.prefix)
		}
		all[i] = "(" + strings.Join(words, or) + ")"
	}
	return strings.Join(all, and)
}
