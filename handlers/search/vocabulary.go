package search

import (
	"context"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/first-viscount/viscount/store"
)

// The vocabulary is every word of the index with the number of products that have it, and its trigrams, by which a misspelt
// word finds those that look like it. It is our own on both databases: SQLite has none, and PostgreSQL's pg_trgm is an
// extension that a managed server may refuse.

// element reads a JSON array as rows: many words in one statement, of one text.
var element = map[store.Kind]string{
	store.SQLite:     "(SELECT value AS word FROM json_each($1))",
	store.PostgreSQL: "(SELECT jsonb_array_elements_text(($1::text)::jsonb) AS word)",
}

// learn counts the words that a product gained and forgets those that no product has any more.
func learn(ctx context.Context, tx *store.Tx, before, after words) error {
	old, current := before.learned(), after.learned()
	if gained := without(current, old); len(gained) > 0 {
		if err := gain(ctx, tx, gained); err != nil {
			return err
		}
	}
	if lost := without(old, current); len(lost) > 0 {
		return lose(ctx, tx, lost)
	}
	return nil
}

func without(words, others []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(word string) bool {
		_, found := slices.BinarySearch(others, word)
		return found
	})
}

func gain(ctx context.Context, tx *store.Tx, gained []string) error {
	type counted struct {
		word     string
		products int64
	}
	all, err := store.All(ctx, tx, func(s store.Scanner) (c counted, err error) { return c, s.Scan(&c.word, &c.products) },
		"INSERT INTO words (word, products) SELECT word, 1 FROM "+element[tx.Kind()]+` AS gained WHERE true
			ON CONFLICT (word) DO UPDATE SET products = words.products + 1 RETURNING word, products`, list(gained))
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.products > 1 {
			continue
		}
		_, err := tx.Exec(ctx, "INSERT INTO word_trigrams (trigram, word) SELECT piece.word, $2 FROM "+element[tx.Kind()]+" AS piece WHERE true ON CONFLICT DO NOTHING",
			list(trigrams(c.word)), c.word)
		if err != nil {
			return err
		}
	}
	return nil
}

func lose(ctx context.Context, tx *store.Tx, lost []string) error {
	words := list(lost)
	if _, err := tx.Exec(ctx, "UPDATE words SET products = products - 1 WHERE word IN "+element[tx.Kind()], words); err != nil {
		return err
	}
	gone, err := store.All(ctx, tx, func(s store.Scanner) (word string, err error) { return word, s.Scan(&word) },
		"DELETE FROM words WHERE products <= 0 AND word IN "+element[tx.Kind()]+" RETURNING word", words)
	if err != nil {
		return err
	}
	for _, word := range gone {
		if _, err := tx.Exec(ctx, "DELETE FROM word_trigrams WHERE word = $2 AND trigram IN "+element[tx.Kind()], list(trigrams(word)), word); err != nil {
			return err
		}
	}
	return nil
}

// list writes words as a JSON array.
func list(words []string) string {
	text, err := json.Marshal(words)
	if err != nil {
		return "[]" // words are letters and digits, which JSON can say
	}
	return string(text)
}
