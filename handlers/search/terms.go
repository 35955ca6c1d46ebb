package search

import (
	"context"
	"slices"
	"unicode/utf8"

	"github.com/first-viscount/viscount/store"
)

// term is one word of a query: any of these words, or any that begins so.
type term struct {
	words  []string
	prefix bool
}

// termsOf reads a query. The last word is one that may still be typed: it stands for all that begin so. A word that no product
// has stands for those that begin with it, else for those that it may be a misspelling of.
func termsOf(ctx context.Context, r store.Reader, text string) (terms []term, corrections []Correction, err error) {
	words := split(text)
	words = words[:min(len(words), mostTerms)]
	for i, word := range words {
		t := term{words: []string{word}, prefix: i == len(words)-1}
		if learnable(word) {
			known, begins, err := lookUp(ctx, r, word)
			if err != nil {
				return nil, nil, err
			}
			t.prefix = t.prefix || !known
			if !known && !begins {
				similar, err := similarTo(ctx, r, word)
				if err != nil {
					return nil, nil, err
				}
				if len(similar) > 0 {
					t = term{words: similar}
					corrections = append(corrections, Correction{Word: word, Instead: similar})
				}
			}
		}
		terms = append(terms, t)
	}
	return terms, corrections, nil
}

// lookUp tells whether a product has the word, or one that begins with it.
func lookUp(ctx context.Context, r store.Reader, word string) (known, begins bool, err error) {
	first, found, err := store.One(ctx, r, func(s store.Scanner) (word string, err error) { return word, s.Scan(&word) },
		"SELECT word FROM words WHERE word >= $1 AND word < $2 ORDER BY word LIMIT 1", word, word+string(utf8.MaxRune))
	return found && first == word, found, err
}

const (
	mostAlike   = 300 // of the same letters, of which the common ones are
	candidates  = 60
	mostSimilar = 3
	shortForTwo = 5 // letters from which two mistakes are forgiven
	oneMistake  = 1
	twoMistakes = 2
)

// similarTo finds words of the vocabulary that a misspelt one may stand for: those with the fewest mistakes between.
func similarTo(ctx context.Context, r store.Reader, word string) ([]string, error) {
	alike, err := store.All(ctx, r, func(s store.Scanner) (word string, err error) { return word, s.Scan(&word) },
		"WITH alike AS (SELECT w.word, COUNT(*) AS shared FROM "+element[r.Kind()]+` AS piece JOIN word_trigrams AS w ON w.trigram = piece.word
			GROUP BY w.word ORDER BY COUNT(*) DESC, w.word LIMIT $2)
			SELECT words.word FROM alike JOIN words ON words.word = alike.word ORDER BY shared DESC, products DESC, words.word LIMIT $3`,
		list(trigrams(word)), mostAlike, candidates)
	if err != nil {
		return nil, err
	}
	most := oneMistake
	if utf8.RuneCountInString(word) >= shortForTwo {
		most = twoMistakes
	}
	var best []string
	for _, other := range alike {
		switch n := mistakes([]rune(word), []rune(other)); {
		case n < most:
			most, best = n, []string{other}
		case n == most:
			best = append(best, other)
		}
	}
	return best[:min(len(best), mostSimilar)], nil
}

// mistakes counts the letters that were forgotten, added, exchanged for another or with their neighbour (the optimal string
// alignment distance).
func mistakes(a, b []rune) int {
	before, last, current := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			other := 1
			if a[i-1] == b[j-1] {
				other = 0
			}
			current[j] = min(last[j]+1, current[j-1]+1, last[j-1]+other)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, last, current = last, current, before
	}
	return last[len(b)]
}

// matches tells whether a word is one of those that the term stands for.
func (t term) matches(word string) bool {
	return slices.ContainsFunc(t.words, func(w string) bool {
		return w == word || t.prefix && len(word) > len(w) && word[:len(w)] == w
	})
}
