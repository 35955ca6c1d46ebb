package search

import (
	"html"
	"slices"
	"strings"
	"unicode"
)

const snippetLength = 160 // letters of a description around its first match

// highlight marks what matched in a hit's name and description.
func highlight(h *Hit, terms []term) {
	if len(terms) == 0 {
		return
	}
	if name, found := marked([]rune(h.Name), terms, 0); found {
		h.Highlighted.Name = name
	}
	if description, found := marked([]rune(h.Description), terms, snippetLength); found {
		h.Highlighted.Description = description
	}
}

type span struct {
	from, to int
	matches  bool
}

// marked writes a text as HTML with the matching words in <em>, shortened around the first one unless length is 0.
func marked(text []rune, terms []term, length int) (string, bool) {
	words := wordsIn(text, terms)
	first := slices.IndexFunc(words, func(w span) bool { return w.matches })
	if first < 0 {
		return "", false
	}
	from, to := 0, len(text)
	if length > 0 && len(text) > length {
		from, to = window(words, first, len(text), length)
	}
	var out strings.Builder
	if from > 0 {
		out.WriteString("… ")
	}
	at := from
	for _, w := range words {
		if !w.matches || w.from < from || w.to > to {
			continue
		}
		out.WriteString(html.EscapeString(string(text[at:w.from])) + "<em>" + html.EscapeString(string(text[w.from:w.to])) + "</em>")
		at = w.to
	}
	out.WriteString(html.EscapeString(string(text[at:to])))
	if to < len(text) {
		out.WriteString(" …")
	}
	return out.String(), true
}

// window chooses the part of a text to show: whole words, the first match a third into it.
func window(words []span, first, size, length int) (from, to int) {
	wanted := min(max(words[first].from-length/3, 0), size-length)
	from, to = words[first].from, words[first].to
	for _, w := range words {
		if w.from >= wanted && w.from < from {
			from = w.from
		}
		if w.to <= wanted+length && w.to > to {
			to = w.to
		}
	}
	if wanted == 0 {
		from = 0
	}
	if wanted+length >= size {
		to = size
	}
	return from, to
}

// wordsIn finds the words of a text as split does, with their places.
func wordsIn(text []rune, terms []term) (words []span) {
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.Is(unicode.Mn, r) }
	for i := 0; i < len(text); i++ {
		if !inWord(text[i]) {
			continue
		}
		w := span{from: i}
		for i < len(text) && inWord(text[i]) {
			i++
		}
		w.to = i
		folded := cut(fold(string(text[w.from:w.to])))
		w.matches = slices.ContainsFunc(terms, func(t term) bool { return t.matches(folded) })
		words = append(words, w)
	}
	return words
}
