package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"github.com/first-viscount/viscount/events"
)

func newEventsCommand(g *globals) *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "Validate, publish and follow events"}
	cmd.AddCommand(newValidateCommand(g), newPublishCommand(g), newTailCommand(g))
	return cmd
}

// sourceEvent is one event of a file, with where it stands.
type sourceEvent struct {
	source string
	line   int
	index  int
	raw    []byte
}

// readEvents takes files apart: one JSON document (an event or a list, over any number of lines) or one event per line.
func readEvents(stdin io.Reader, names []string) ([]sourceEvent, error) {
	var all []sourceEvent
	for _, name := range names {
		raw, err := readSource(stdin, name)
		if err != nil {
			return nil, &exitError{code: exitUsage, err: err}
		}
		all = append(all, splitSource(name, raw)...)
	}
	return all, nil
}

func readSource(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(name)
}

func splitSource(name string, raw []byte) []sourceEvent {
	if list, ok := splitList(name, raw); ok {
		return list
	}
	if jsontext.Value(raw).IsValid() || bytes.Count(bytes.TrimSpace(raw), []byte("\n")) == 0 {
		return []sourceEvent{{source: name, line: 1, raw: raw}}
	}
	lines := splitLines(name, raw)
	if len(lines) > 1 && looksLikeLines(lines) {
		return lines
	}
	return []sourceEvent{{source: name, line: 1, raw: raw}} // one broken document over several lines
}

func splitList(name string, raw []byte) ([]sourceEvent, bool) {
	trimmed := bytes.TrimLeft(raw, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '[' || !jsontext.Value(raw).IsValid() {
		return nil, false
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	var list []sourceEvent
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		start := int(dec.InputOffset()) - len(value)
		list = append(list, sourceEvent{source: name, line: 1 + bytes.Count(raw[:start], []byte("\n")), index: len(list), raw: value.Clone()})
	}
	return list, true
}

func splitLines(name string, raw []byte) (lines []sourceEvent) {
	number := 0
	for line := range bytes.Lines(raw) {
		number++
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 {
			lines = append(lines, sourceEvent{source: name, line: number, index: len(lines), raw: trimmed})
		}
	}
	return lines
}

// looksLikeLines tells lines of events from one document whose JSON is broken: most lines of events begin an object and end it.
func looksLikeLines(lines []sourceEvent) bool {
	whole := 0
	for _, l := range lines {
		if l.raw[0] == '{' && l.raw[len(l.raw)-1] == '}' {
			whole++
		}
	}
	return 2*whole > len(lines)
}

// verdict is one line of the JSON output of events validate.
type verdict struct {
	Source    string      `json:"source"`
	Line      int         `json:"line"`
	Index     int         `json:"index"`
	Valid     bool        `json:"valid"`
	EventType string      `json:"event_type,omitzero"`
	EventID   string      `json:"event_id,omitzero"`
	Dialect   string      `json:"dialect,omitzero"`
	Code      events.Code `json:"code,omitzero"`
	Path      string      `json:"path,omitzero"`
	Detail    string      `json:"detail,omitzero"`

	Problems []events.Problem `json:"problems,omitzero"` // all of them; code, path and detail are the first one's
}

func (e sourceEvent) refused(problems []events.Problem) verdict {
	first := problems[0]
	return verdict{Source: e.source, Line: e.line, Index: e.index, Code: first.Code, Path: first.Path, Detail: first.Detail, Problems: problems}
}

func judge(catalogue *events.Catalogue, e sourceEvent) verdict {
	decoded, err := catalogue.Decode(e.raw)
	var bad *events.Invalid
	if errors.As(err, &bad) {
		return e.refused(bad.Problems)
	}
	v := verdict{Source: e.source, Line: e.line, Index: e.index}
	v.Valid, v.EventType, v.EventID, v.Dialect = true, decoded.Envelope.EventType, decoded.Envelope.EventID.String(), "canonical"
	if decoded.Legacy {
		v.Dialect = "legacy"
	}
	return v
}

func newValidateCommand(g *globals) *cobra.Command {
	return &cobra.Command{
		Use: "validate FILE…|-", Short: "Check events against their contracts, offline", Args: takes("FILE…|-"),
		Long: "Check events against their contracts without a server. A file holds one event or a list (JSON over any number of lines), or one event per line (NDJSON).\nVocabularies are open, as for a consumer. Exit 1 if any event is bad.",
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := readEvents(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			catalogue, bad, out := events.Platform(), 0, cmd.OutOrStdout()
			for _, e := range all {
				v := judge(catalogue, e)
				if !v.Valid {
					bad++
				}
				if err := printVerdict(out, v, g.Output == "json"); err != nil {
					return err
				}
			}
			if len(all) == 0 {
				return no(errors.New("no event found"))
			}
			if bad > 0 {
				return no(fmt.Errorf("%d of %d events are invalid", bad, len(all)))
			}
			return nil
		},
	}
}

func printVerdict(out io.Writer, v verdict, asJSON bool) error {
	var err error
	switch {
	case asJSON:
		var raw []byte
		if raw, err = json.Marshal(v); err == nil {
			_, err = fmt.Fprintln(out, string(raw))
		}
	case v.Valid:
		_, err = fmt.Fprintf(out, "%s:%d  ok       %s %s (%s)\n", v.Source, v.Line, v.EventType, v.EventID, v.Dialect)
	default:
		for _, p := range v.Problems {
			what := strings.TrimSpace(string(p.Code) + " " + p.Path)
			if _, err = fmt.Fprintf(out, "%s:%d  invalid  %s: %s\n", v.Source, v.Line, what, p.Detail); err != nil {
				return err
			}
		}
	}
	return err
}

// batchSize bounds one request of events publish.
const batchSize = 500 << 10

func newPublishCommand(g *globals) *cobra.Command {
	var dry bool
	cmd := &cobra.Command{
		Use: "publish FILE…|-", Short: "Publish events through a server", Args: takes("FILE…|-"),
		Long: "Publish events of a file (see events validate for its forms) through a server. Each request is all or nothing, and a repetition is harmless: what was accepted before is a duplicate.",
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := readEvents(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			if len(all) == 0 {
				return no(errors.New("no event found"))
			}
			return publishAll(cmd, g, all, dry)
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "check everything, accept nothing")
	return cmd
}

func publishAll(cmd *cobra.Command, g *globals, all []sourceEvent, dry bool) error {
	path := "/events"
	if dry {
		path += "?dry_run=true"
	}
	for len(all) > 0 {
		var body bytes.Buffer
		n := 0
		for n < len(all) && (n == 0 || body.Len()+len(all[n].raw) < batchSize) {
			line := jsontext.Value(bytes.Clone(all[n].raw))
			if line.Compact() == nil {
				body.Write(line)
			} else {
				body.Write(bytes.ReplaceAll(all[n].raw, []byte("\n"), []byte(" "))) // the server says what is wrong with it
			}
			body.WriteByte('\n')
			n++
		}
		var answer struct {
			Events []struct {
				EventID string `json:"event_id"`
				Status  string `json:"status"`
			} `json:"events"`
		}
		if err := g.client().post(cmd.Context(), path, "application/x-ndjson", body.Bytes(), &answer); err != nil {
			return printRefused(cmd.OutOrStdout(), err, all[:n], g.Output == "json")
		}
		for i, e := range answer.Events {
			if g.Output == "json" {
				fmt.Fprintf(cmd.OutOrStdout(), "{\"source\":%q,\"line\":%d,\"event_id\":%q,\"status\":%q}\n", all[i].source, all[i].line, e.EventID, e.Status)
				continue
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s:%d  %s  %s\n", all[i].source, all[i].line, e.Status, e.EventID)
		}
		all = all[n:]
	}
	return nil
}

// printRefused prints what a server found wrong with events as validate does; any other error is left as it is.
func printRefused(out io.Writer, err error, sent []sourceEvent, asJSON bool) error {
	var p *apiProblem
	if !errors.As(err, &p) {
		return err
	}
	bad := map[int][]events.Problem{}
	for _, e := range p.Errors {
		if e.Index == nil || *e.Index < 0 || *e.Index >= len(sent) {
			return err
		}
		bad[*e.Index] = append(bad[*e.Index], events.Problem{Path: e.Path, Code: e.Code, Detail: e.Detail})
	}
	if len(bad) == 0 {
		return err
	}
	for _, i := range slices.Sorted(maps.Keys(bad)) {
		if err := printVerdict(out, sent[i].refused(bad[i]), asJSON); err != nil {
			return err
		}
	}
	return no(fmt.Errorf("%d of %d events are refused (%d %s); a request is all or nothing", len(bad), len(sent), p.Status, p.Code))
}

func newTailCommand(g *globals) *cobra.Command {
	var types []string
	var correlation, from string
	cmd := &cobra.Command{
		Use: "tail", Short: "Follow events as they are accepted", Args: takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"from": {from}}
			if len(types) > 0 {
				query.Set("type", strings.Join(types, ","))
			}
			if correlation != "" {
				query.Set("correlation_id", correlation)
			}
			return tail(cmd.Context(), g, query, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringSliceVar(&types, "type", nil, "event types to show (default all)")
	cmd.Flags().StringVar(&correlation, "correlation", "", "only events with this correlation id")
	cmd.Flags().StringVar(&from, "from", "NOW", "BEGINNING or NOW")
	return cmd
}

// tail follows the stream and, when it breaks, resumes it where it was.
func tail(ctx context.Context, g *globals, query url.Values, out io.Writer) error {
	c := g.client()
	c.http.Timeout = 0
	last := ""
	for connected := false; ; {
		if last != "" {
			query.Set("last_event_id", last)
		}
		request, err := c.request(ctx, http.MethodGet, "/events/stream?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		stands, err := follow(c, request, g.Output == "json", out, &last)
		connected = connected || stands
		if err != nil && !connected {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// follow prints one connection's events; stands says that it was accepted.
func follow(c *client, request *http.Request, asJSON bool, out io.Writer, last *string) (stands bool, err error) {
	response, err := c.http.Do(request)
	if err != nil {
		return false, c.unreachable(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return false, read(response, new(any))
	}
	return true, copyStream(response.Body, asJSON, out, last)
}

func copyStream(body io.Reader, asJSON bool, out io.Writer, last *string) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 2*events.MaxSize)
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
			*last = id
		}
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if err := printEvent(out, data, asJSON); err != nil {
			return err
		}
	}
	return nil // the connection ended; the caller resumes
}

func printEvent(out io.Writer, data string, asJSON bool) error {
	if asJSON {
		_, err := fmt.Fprintln(out, data)
		return err
	}
	var e struct {
		events.Envelope
		Data jsontext.Value `json:"data"`
	}
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return fmt.Errorf("reading the stream: %w", err)
	}
	_, err := fmt.Fprintf(out, "%s  %-30s %s  %s\n", e.Timestamp.Format("15:04:05.000"), e.EventType, e.CorrelationID, e.Data)
	return err
}
