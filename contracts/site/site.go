// Package site writes the catalogue that people read: a static site of the contracts, their events, fields and the map of the
// platform. It derives from events alone and asks nothing of anybody: no page loads anything from elsewhere.
package site

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"path"
	"slices"
	"strings"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
)

//go:embed templates
var sources embed.FS

// Render writes every page; paths are relative to the site. history is the contracts' change log in Markdown.
func Render(c *events.Catalogue, history string) ([]contracts.File, error) {
	script, style, err := assets()
	if err != nil {
		return nil, err
	}
	all, err := describe(c)
	if err != nil {
		return nil, err
	}
	changes := readHistory(history)
	schemas, err := contracts.Schemas(c)
	if err != nil {
		return nil, err
	}
	files := []contracts.File{{Path: "style.css", Content: style}}
	for _, s := range schemas {
		files = append(files, contracts.File{Path: "schemas/" + path.Base(s.Path), Content: s.Content})
	}
	write := func(file, name string, p page) error {
		t, err := template.ParseFS(sources, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return err
		}
		p.Script, p.Events, p.Here = template.JS(script), all, name
		var b bytes.Buffer
		if err := t.ExecuteTemplate(&b, "layout.html", p); err != nil {
			return fmt.Errorf("writing %s: %w", file, err)
		}
		files = append(files, contracts.File{Path: file, Content: b.Bytes()})
		return nil
	}
	if err := write("index.html", "index", page{Title: "Contracts", Map: drawMap(all), Publishers: byPublisher(all)}); err != nil {
		return nil, err
	}
	if err := write("fields.html", "fields", page{Title: "Fields", Fields: fieldIndex(all)}); err != nil {
		return nil, err
	}
	if err := write("envelope.html", "envelope", page{Title: "Envelope", Envelope: events.EnvelopeFields()}); err != nil {
		return nil, err
	}
	if err := write("changes.html", "changes", page{Title: "Changes", Changes: changes}); err != nil {
		return nil, err
	}
	for _, e := range all {
		e.Changes = changesOf(changes, e.Type)
		if err := write("events/"+e.Page+".html", "event", page{Title: e.Label, Root: "../", Event: e, Map: drawEvent(e)}); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// Policy is the Content-Security-Policy that the site can be served under: its style, its one script, nothing else.
func Policy() string {
	script, _, err := assets()
	if err != nil {
		return "default-src 'none'"
	}
	sum := sha256.Sum256(script)
	return "default-src 'none'; style-src 'self'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

func assets() (script, style []byte, err error) {
	if script, err = sources.ReadFile("templates/search.js"); err != nil {
		return nil, nil, err
	}
	style, err = sources.ReadFile("templates/style.css")
	return script, style, err
}

// page is what a template sees.
type page struct {
	Title      string
	Here       string // the template's name
	Root       string // from the page to the site's root
	Script     template.JS
	Events     []*event
	Publishers []publisher
	Event      *event
	Fields     []fieldEntry
	Envelope   []events.Field
	Changes    []release
	Map        *drawing
}

// publisher is a service with the events that it publishes.
type publisher struct {
	Service string
	Events  []*event
}

func byPublisher(all []*event) (groups []publisher) {
	for _, e := range all {
		i := slices.IndexFunc(groups, func(p publisher) bool { return p.Service == e.Publisher })
		if i < 0 {
			i = len(groups)
			groups = append(groups, publisher{Service: e.Publisher})
		}
		groups[i].Events = append(groups[i].Events, e)
	}
	return groups
}

// fieldEntry is a field's name wherever it stands, for the search.
type fieldEntry struct {
	Path, Kind string
	Notes      []string
	Events     []*event
}

// fieldIndex lists fields by path; the same path with another kind or note is another entry.
func fieldIndex(all []*event) (index []fieldEntry) {
	for _, e := range all {
		for _, f := range e.Fields {
			notes := slices.DeleteFunc(slices.Clone(f.Notes), func(note string) bool { return note == noteOptional || note == noteKey })
			i := slices.IndexFunc(index, func(x fieldEntry) bool {
				return x.Path == f.Path && x.Kind == f.Kind && slices.Equal(x.Notes, notes)
			})
			if i < 0 {
				i = len(index)
				index = append(index, fieldEntry{Path: f.Path, Kind: f.Kind, Notes: notes})
			}
			index[i].Events = append(index[i].Events, e)
		}
	}
	slices.SortStableFunc(index, func(a, b fieldEntry) int { return strings.Compare(a.Path, b.Path) })
	return index
}
