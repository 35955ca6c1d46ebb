package notifications

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"strings"
	"sync"
	texttemplate "text/template"
	"time"

	"github.com/go-json-experiment/json"
)

// templateFiles hold, per event type and for a digest, a text whose first line is the subject, and the HTML of its body.
//
//go:embed templates
var templateFiles embed.FS

// digest names the templates and the webhook type of several notices.
const digest = "notifications.digest"

type templates struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

// parsed are the templates. They are read once; a test renders every one of them.
var parsed = sync.OnceValues(func() (t templates, err error) {
	functions := map[string]any{"sentence": func(code string) string { return strings.ReplaceAll(code, "_", " ") }}
	if t.text, err = texttemplate.New("").Option("missingkey=error").Funcs(functions).ParseFS(templateFiles, "templates/*.txt"); err != nil {
		return t, err
	}
	t.html, err = htmltemplate.New("").Option("missingkey=error").Funcs(functions).ParseFS(templateFiles, "templates/*.html")
	return t, err
})

// page is what a template is filled with: the facts of a single notice, or the lines of a digest.
type page struct {
	Name string
	Facts
	Lines []line
}

// line is a notice in one line: when it was, and the subject that it has by itself.
type line struct {
	At   time.Time
	Text string
}

func (l Letter) template() string {
	if len(l.Notices) == 1 {
		return l.Notices[0].EventType
	}
	return digest
}

// mail renders the letter.
func (l Letter) mail() (Mail, error) {
	t, err := parsed()
	if err != nil {
		return Mail{}, err
	}
	p, err := t.page(l)
	if err != nil {
		return Mail{}, err
	}
	subject, body, err := t.render(l.template(), p)
	if err != nil {
		return Mail{}, err
	}
	var html strings.Builder
	if err := t.html.ExecuteTemplate(&html, l.template()+".html", p); err != nil {
		return Mail{}, fmt.Errorf("rendering the HTML of %s: %w", l.template(), err)
	}
	return Mail{Key: l.MessageID, To: l.Address, Name: l.Name, Subject: subject, Text: body, HTML: html.String(), At: l.At}, nil
}

func (t templates) page(l Letter) (p page, err error) {
	p.Name = l.Name
	if len(l.Notices) == 1 {
		p.Facts = l.Notices[0].Facts
		return p, nil
	}
	p.Lines = make([]line, len(l.Notices))
	for i, n := range l.Notices {
		p.Lines[i].At = n.At
		if p.Lines[i].Text, _, err = t.render(n.EventType, page{Facts: n.Facts}); err != nil {
			return p, err
		}
	}
	return p, nil
}

// render gives the subject and the body of a text.
func (t templates) render(name string, p page) (subject, body string, err error) {
	var text strings.Builder
	if err := t.text.ExecuteTemplate(&text, name+".txt", p); err != nil {
		return "", "", fmt.Errorf("rendering the text of %s: %w", name, err)
	}
	subject, body, _ = strings.Cut(text.String(), "\n")
	return subject, strings.TrimSpace(body) + "\n", nil
}

// hook writes the letter as a webhook's body: the notice itself, or a digest of them.
func (l Letter) hook() (Hook, error) {
	var body any = l.Notices[0]
	if len(l.Notices) > 1 {
		body = struct {
			Type string    `json:"type"`
			At   time.Time `json:"timestamp"`
			Data any       `json:"data"`
		}{digest, l.At, map[string]any{"notices": l.Notices}}
	}
	raw, err := json.Marshal(body, json.Deterministic(true))
	return Hook{Key: l.MessageID, URL: l.Address, Recipient: l.Recipient, Body: raw}, err
}
