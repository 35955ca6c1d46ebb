package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
)

func TestWhatIsGeneratedIsCommitted(t *testing.T) {
	files, err := generated(events.Platform())
	require.NoError(t, err)
	known := map[string]bool{}
	for _, f := range files {
		path := filepath.Join("..", "..", filepath.FromSlash(f.Path))
		known[path] = true
		committed, err := os.ReadFile(path)
		require.NoError(t, err, "run: make generate")
		require.Equal(t, string(f.Content), string(committed), "%s is not what the contracts say; run: make generate", f.Path)
	}
	there, err := filepath.Glob(filepath.Join("..", "..", contracts.SchemaFolder, "*"))
	require.NoError(t, err)
	for _, path := range there {
		require.True(t, known[path], "%s belongs to no contract; remove it", path)
	}
}

// TestThePythonPackageKnowsTheMetadata: what stands beside the envelope is written by hand there.
func TestThePythonPackageKnowsTheMetadata(t *testing.T) {
	text, err := os.ReadFile("../../python/src/viscount_contracts/event.py")
	require.NoError(t, err)
	for _, name := range []string{
		router.MetaEventID, router.MetaEventType, router.MetaCorrelationID, router.MetaCausationID, router.MetaSequence, router.MetaTraceParent, router.MetaTraceState,
	} {
		require.Contains(t, string(text), `"`+name+`"`)
	}
}
