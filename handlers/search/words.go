package search

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/text/unicode/norm"
)

// words are a product's texts as the index takes them: separated by spaces, in one form. Both databases index these very
// words, so that a search finds the same on either.
type words struct{ name, sku, attributes, description string }

func wordsOf(p Product) words {
	return words{
		name: strings.Join(split(p.Name), " "), sku: strings.Join(split(p.SKU), " "),
		attributes: strings.Join(split(attributeText(p.Attributes)), " "), description: strings.Join(split(p.Description), " "),
	}
}

const longestWord = 64 // letters; what is longer is cut

// split takes a text apart into words of letters and digits, lower case, without accents: "Café-Crème 2x" → cafe creme 2x.
func split(text string) []string {
	var all []string
	for _, word := range strings.FieldsFunc(fold(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
		all = append(all, cut(word))
	}
	return all
}

func cut(word string) string {
	if utf8.RuneCountInString(word) <= longestWord {
		return word
	}
	return string([]rune(word)[:longestWord])
}

// fold writes a text in lower case without accents.
func fold(text string) string {
	plain := true
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return strings.ToLower(text)
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFKD.String(text))
}

// attributeText lists the names, texts and numbers in a product's attributes; of a flag that is true its name, of one that is
// false nothing.
func attributeText(attributes jsontext.Value) string {
	var parts []string
	d := jsontext.NewDecoder(bytes.NewReader(attributes))
	name := ""
	for {
		token, err := d.ReadToken()
		if err != nil {
			return strings.Join(parts, " ") // the end; attributes are well-formed, as the contract has it
		}
		switch kind := token.Kind(); kind {
		case '"':
			if holder, length := d.StackIndex(d.StackDepth()); holder == '{' && length%2 == 1 {
				name = token.String()
				continue
			}
			parts = append(parts, name, token.String())
		case '0':
			parts = append(parts, name, token.String())
		case 't', '{':
			parts = append(parts, name)
		case '[':
			continue // the name is said once for the whole list
		}
		name = ""
	}
}

const (
	shortestLearned = 3
	longestLearned  = 32
)

// learned are the distinct words that a misspelt one may stand for. What holds a digit is a number or a code: it is found as
// it is written, or by its beginning.
func (w words) learned() []string {
	var all []string
	for _, text := range []string{w.name, w.sku, w.attributes, w.description} {
		for word := range strings.FieldsSeq(text) {
			if learnable(word) {
				all = append(all, word)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func learnable(word string) bool {
	n := utf8.RuneCountInString(word)
	return n >= shortestLearned && n <= longestLearned && !strings.ContainsFunc(word, unicode.IsNumber)
}

// trigrams are a word's pieces of three letters, its two ends marked by spaces: coffee → "  c", " co", "cof", …, "ee ".
func trigrams(word string) []string {
	runes := []rune("  " + word + " ")
	var all []string
	for i := 0; i+3 <= len(runes); i++ {
		all = append(all, string(runes[i:i+3]))
	}
	slices.Sort(all)
	return slices.Compact(all)
}
