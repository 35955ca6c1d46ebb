package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/store"
)

// NewLogger makes the process's logger: JSON, or readable text on a terminal. Lines written with a context carry the ids of
// the event or request in hand.
func NewLogger(c config.Log, out io.Writer) *slog.Logger {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	options := &slog.HandlerOptions{Level: levels[c.Level], ReplaceAttr: readable}
	file, isFile := out.(*os.File)
	text := c.Format == "text" || c.Format == "auto" && isFile && term.IsTerminal(int(file.Fd()))
	if text {
		return slog.New(withIDs{slog.NewTextHandler(out, options)})
	}
	return slog.New(withIDs{slog.NewJSONHandler(printable{out}, options)})
}

// printable escapes in JSON what the encoder leaves as it is though it acts on a terminal: U+009B, U+202E and their like.
type printable struct{ out io.Writer }

// Write implements io.Writer.
func (p printable) Write(line []byte) (int, error) {
	if bytes.IndexFunc(line, hidden) < 0 {
		return p.out.Write(line)
	}
	var escaped []byte
	for _, r := range string(line) {
		if !hidden(r) {
			escaped = utf8.AppendRune(escaped, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			escaped = fmt.Appendf(escaped, `\u%04x`, unit)
		}
	}
	_, err := p.out.Write(escaped)
	return len(line), err
}

func hidden(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// readable writes durations with their unit, in JSON as in text: 25s, not 25000000000.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// withIDs adds what the context knows of the work in hand.
type withIDs struct{ slog.Handler }

// Handle implements slog.Handler.
func (h withIDs) Handle(ctx context.Context, r slog.Record) error {
	o := store.OriginFrom(ctx)
	for name, value := range map[string]string{"correlation_id": o.CorrelationID, "causation_event_id": o.CausationID, "causation_event_type": o.EventType, "entity_id": o.Key} {
		if value != "" {
			r.AddAttrs(slog.String(name, value))
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h withIDs) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withIDs{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h withIDs) WithGroup(name string) slog.Handler { return withIDs{h.Handler.WithGroup(name)} }
