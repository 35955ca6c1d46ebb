package app_test

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/app"
	"github.com/first-viscount/viscount/config"
)

func TestDurationsAreLoggedWithTheirUnit(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var log bytes.Buffer
		app.NewLogger(config.Log{Level: "info", Format: format}, &log).Info("stopping", slog.Duration("drain_timeout", 25*time.Second), "waited", 5*time.Second)
		require.Regexp(t, `drain_timeout["=:]+25s`, log.String())
		require.Regexp(t, `waited["=:]+5s`, log.String())
	}
}
