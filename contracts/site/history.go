package site

import "strings"

// release is a section of the change log: "## 2026-11-25 …" and its items.
type release struct {
	Title string
	Items []change
}

// change is "- `order.created`: text" or, about no single event, "- text".
type change struct {
	Event string
	Text  []stretch
}

// stretch is a part of a text; code stands between backticks.
type stretch struct {
	Text string
	Code bool
}

func stretches(text string) (all []stretch) {
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			all = append(all, stretch{part, i%2 == 1})
		}
	}
	return all
}

// readHistory reads the contracts' change log: sections with items. Anything else in it is prose for the file's readers.
func readHistory(markdown string) (all []release) {
	for line := range strings.Lines(markdown) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			all = append(all, release{Title: title})
			continue
		}
		text, ok := strings.CutPrefix(line, "- ")
		if !ok || len(all) == 0 {
			continue
		}
		c := change{Text: stretches(text)}
		if name, rest, found := strings.Cut(strings.TrimPrefix(text, "`"), "`"); found && strings.HasPrefix(text, "`") && strings.Contains(name, ".") {
			c = change{Event: name, Text: stretches(strings.TrimLeft(rest, ": "))}
		}
		last := &all[len(all)-1]
		last.Items = append(last.Items, c)
	}
	return all
}

// changesOf keeps what is about one event.
func changesOf(all []release, eventType string) (own []release) {
	for _, r := range all {
		kept := release{Title: r.Title}
		for _, c := range r.Items {
			if c.Event == eventType {
				kept.Items = append(kept.Items, c)
			}
		}
		if len(kept.Items) > 0 {
			own = append(own, kept)
		}
	}
	return own
}
