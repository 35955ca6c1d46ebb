package app_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
)

// What is foreign moves no cursor and turns no line around, in names and errors too; JSON keeps it all the same.
func TestLogLinesArePrintable(t *testing.T) {
	evil := "a\r\n\x1b\u0085\u009b\u202e\u2028\U000e0001"
	for _, format := range []string{"json", "text"} {
		var log bytes.Buffer
		app.NewLogger(config.Log{Level: "info", Format: format}, &log).Info(evil, evil, evil, "error", errors.New(evil), "list", []string{evil})
		line, more, _ := strings.Cut(log.String(), "\n")
		require.Empty(t, more)
		for _, r := range line {
			require.True(t, unicode.IsPrint(r), "%s: %q in %q", format, r, line)
		}
		if format == "json" {
			var read map[string]any
			require.NoError(t, json.Unmarshal([]byte(line), &read))
			require.Equal(t, []any{evil, evil, evil, []any{evil}}, []any{read["msg"], read[evil], read["error"], read["list"]})
		}
	}
}

func TestDurationsAreLoggedWithTheirUnit(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var log bytes.Buffer
		app.NewLogger(config.Log{Level: "info", Format: format}, &log).Info("stopping", slog.Duration("drain_timeout", 25*time.Second), "waited", 5*time.Second)
		require.Regexp(t, `drain_timeout["=:]+25s`, log.String())
		require.Regexp(t, `waited["=:]+5s`, log.String())
	}
}
