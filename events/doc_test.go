package events_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
)

func TestEveryFieldSaysWhatItMeans(t *testing.T) {
	says := func(of string, f events.Field) {
		require.NotEmpty(t, f.Doc, "%s %s: say what it means, and its unit, in the tag doc", of, f.Path)
		require.True(t, strings.HasSuffix(f.Doc, "."), "%s %s: %s", of, f.Path, f.Doc)
		require.LessOrEqual(t, len(f.Doc), 160, "%s %s", of, f.Path)
	}
	for _, d := range events.Platform().All() {
		for _, f := range d.Fields() {
			says(d.Contract.Type, f)
		}
	}
	require.Len(t, events.EnvelopeFields(), 7)
	for _, f := range events.EnvelopeFields() {
		says("envelope", f)
	}
}
