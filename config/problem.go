package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Problems is everything that is wrong with a configuration; it is the error that Load returns.
type Problems struct{ List []Problem }

// Error has one line for each problem.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, problem := range p.List {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// sort puts the problems of the file first, from top to bottom; the others keep their order.
func (p *Problems) sort() {
	slices.SortStableFunc(p.List, func(a, b Problem) int {
		if (a.File == "") != (b.File == "") {
			return -cmp.Compare(a.File, b.File)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Problem is one mistake, where it stands and what to do about it. Value is redacted where it may hold a secret.
type Problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`   // from 1; 0 for the file as a whole
	Column  int    `json:"column,omitempty"` // from 1
	Origin  string `json:"origin,omitempty"` // outside a file: env VISCOUNT_…, flag --listen, profile kafka
	Path    string `json:"path,omitempty"`
	Value   string `json:"value,omitempty"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"`
}

// Error reads `config.yaml:12: transport.kafka.brokers: empty; list at least one host:port`.
func (p Problem) Error() string {
	var line strings.Builder
	for _, part := range []string{origin{File: p.File, Line: p.Line, Label: p.Origin}.String(), p.Path} {
		if part != "" {
			line.WriteString(part + ": ")
		}
	}
	if p.Value != "" {
		line.WriteString(strconv.Quote(p.Value) + " ")
	}
	line.WriteString(p.Message)
	if p.Remedy != "" {
		line.WriteString("; " + p.Remedy)
	}
	return line.String()
}

// origin is the place that set a value: a line of a file, or what the label says.
type origin struct {
	File         string
	Line, Column int
	Label        string
}

func (o origin) String() string {
	switch {
	case o.File == "":
		return o.Label
	case o.Line == 0:
		return o.File
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// layer is the kind of place: file, env, flag or profile.
func (o origin) layer() string {
	if o.File != "" {
		return "file"
	}
	kind, _, _ := strings.Cut(o.Label, " ")
	return kind
}

// quoted finds what an error message of the parser repeats of the text.
var quoted = regexp.MustCompile(`"(\\.|[^"\\]){2,}"`)

const redacted = "[redacted]"

// passwords finds what a URL gives away: the password of its user, and password parameters.
var passwords = regexp.MustCompile(`(://[^:/@\s]*:)\S*(@)|(password=)[^&\s]*()`)

// redact makes a value fit to be shown.
func redact(text string, secret bool) string {
	if secret && text != "" {
		return redacted
	}
	return passwords.ReplaceAllString(text, "${1}${3}"+redacted+"${2}${4}")
}

// clip shortens what somebody typed, so that a report stays readable.
func clip(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
