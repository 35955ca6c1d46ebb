package main

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/events"
)

func newShowLetterCommand(g *globals) *cobra.Command {
	var unmask bool
	var reason string
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show one dead letter: why, when, and its payload with the wrong places marked", Args: takes("ID"),
		Long: "Shows one dead letter. Personal data is masked; --unmask --reason shows it to an admin, and is audited.",
		RunE: func(cmd *cobra.Command, args []string) error {
			query := url.Values{}
			if unmask {
				if reason == "" {
					return &exitError{code: exitUsage, err: errorf("--unmask needs --reason: it is kept in the audit")}
				}
				query = url.Values{"unmask": {"true"}, "reason": {reason}}
			}
			var letter api.DeadLetterDetail
			if err := g.client().get(cmd.Context(), "/dead-letters/"+url.PathEscape(args[0])+"?"+query.Encode(), &letter); err != nil {
				return err
			}
			if g.Output == "json" {
				return printJSON(cmd.OutOrStdout(), letter)
			}
			return printLetter(cmd.OutOrStdout(), letter)
		},
	}
	cmd.Flags().BoolVar(&unmask, "unmask", false, "show personal data (role admin; audited)")
	cmd.Flags().StringVar(&reason, "reason", "", "why personal data is needed")
	return cmd
}

func printLetter(out io.Writer, l api.DeadLetterDetail) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(table, "%s\t%s\n", name, plain(value))
		}
	}
	row("id", l.ID)
	row("service", l.Service)
	row("what", letterType(l.DeadLetter))
	row("event", l.EventID)
	row("key", l.Key)
	row("why", l.Code+": "+l.Detail)
	row("fingerprint", l.Fingerprint)
	row("failed", fmt.Sprintf("first %s, last %s, %d attempts", stamp(l.FailedFirst), stamp(l.FailedLast), l.Attempts))
	if l.HoldsKey {
		row("holds", fmt.Sprintf("the key %s; %d events wait behind it", l.Key, l.HeldBehind))
	}
	row("topic", strings.TrimSpace(l.Topic+" "+position(l)))
	row("correlation", l.CorrelationID)
	row("caused by", l.CausationID)
	for _, h := range l.Headers {
		row("header", h.Name+": "+h.Value)
	}
	for _, d := range l.Trail {
		row("done", fmt.Sprintf("%s %s by %s: %s", stamp(d.At), d.Action, d.Actor, d.Reason))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\npayload (%d bytes)\n", l.Bytes)
	if err := printPayload(out, l); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\nnext: viscount dead-letters requeue %s --dry-run\n", l.ID)
	return err
}

func position(l api.DeadLetterDetail) string {
	if l.Partition == "" && l.Offset == "" {
		return ""
	}
	return "partition " + l.Partition + " offset " + l.Offset
}

func stamp(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05Z") }

func printPayload(out io.Writer, l api.DeadLetterDetail) error {
	m := &marker{out: out, problems: l.Problems, shown: make([]bool, len(l.Problems))}
	switch {
	case l.Withheld:
		fmt.Fprintln(out, "  is no JSON, so that nothing of it is safe to show: see it with --unmask --reason WHY")
	case l.Payload == nil:
		for line := range strings.Lines(l.Text) {
			fmt.Fprintf(out, "  %s\n", plain(strings.TrimRight(line, "\r\n")))
		}
	default:
		m.dec = jsontext.NewDecoder(bytes.NewReader(l.Payload), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		if err := m.value("", "  ", ""); err != nil {
			return err
		}
	}
	for i, p := range l.Problems {
		if !m.shown[i] {
			fmt.Fprintf(out, "  ◀ %s\n", problemText(p))
		}
	}
	return nil
}

func problemText(p events.Problem) string {
	text := string(p.Code) + ": " + plain(p.Detail)
	if p.Path != "" {
		text = plain(p.Path) + ": " + text
	}
	return text
}

// marker prints JSON with what is wrong beside the place where it is wrong.
type marker struct {
	out      io.Writer
	dec      *jsontext.Decoder
	problems []events.Problem
	shown    []bool
}

// marks are the problems of a place.
func (m *marker) marks(path string) (text string) {
	for i, p := range m.problems {
		if p.Path == path && path != "" && !m.shown[i] {
			m.shown[i] = true
			text += "   ◀ " + string(p.Code) + ": " + plain(p.Detail)
		}
	}
	return text
}

// comma stands between values.
func (m *marker) comma() string {
	if next := m.dec.PeekKind(); next == '}' || next == ']' || m.dec.StackDepth() == 0 {
		return ""
	}
	return ","
}

// value prints a value behind its name.
func (m *marker) value(path, indent, name string) error {
	k := m.dec.PeekKind()
	if k != '{' && k != '[' {
		value, err := m.dec.ReadValue()
		if err != nil {
			return err
		}
		text := plain(string(value)) // looking further overwrites it
		_, err = fmt.Fprintf(m.out, "%s%s%s%s%s\n", indent, name, text, m.comma(), m.marks(path))
		return err
	}
	if _, err := m.dec.ReadToken(); err != nil {
		return err
	}
	closing := map[jsontext.Kind]string{'{': "}", '[': "]"}[k]
	fmt.Fprintf(m.out, "%s%s%s%s\n", indent, name, k, m.marks(path))
	for i := 0; ; i++ {
		next := m.dec.PeekKind()
		if next == '}' || next == ']' || next == 0 {
			break
		}
		inner, label := path+"/"+strconv.Itoa(i), ""
		if k == '{' {
			token, err := m.dec.ReadToken()
			if err != nil {
				return err
			}
			inner, label = path+"/"+token.String(), strconv.Quote(token.String())+": "
		}
		if err := m.value(inner, indent+"  ", label); err != nil {
			return err
		}
	}
	m.missing(path, indent+"  ")
	if _, err := m.dec.ReadToken(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(m.out, "%s%s%s\n", indent, closing, m.comma())
	return err
}

// missing prints the fields of an object that should be there.
func (m *marker) missing(path, indent string) {
	for i, p := range m.problems {
		if parent, name, ok := cutLast(p.Path); ok && parent == path && !m.shown[i] {
			m.shown[i] = true
			fmt.Fprintf(m.out, "%s(%s)   ◀ %s: %s\n", indent, plain(name), p.Code, plain(p.Detail))
		}
	}
}

func cutLast(path string) (parent, name string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", "", false
	}
	return path[:i], path[i+1:], true
}
