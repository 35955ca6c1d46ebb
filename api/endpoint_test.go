package api

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryEndpointSaysWhatItIs guards the table that roles and documents are made from.
func TestEveryEndpointSaysWhatItIs(t *testing.T) {
	s := &Server{Options: Options{Platform: everyService()}}
	seen := map[string]bool{}
	for _, e := range s.endpoints() {
		name := e.method + " " + e.path
		require.False(t, seen[name], "%s stands twice", name)
		seen[name] = true
		require.NotEmpty(t, e.summary, name)
		require.NotEqual(t, Anyone, e.role, "%s: only probes are open", name)
		require.NotZero(t, e.status, name)
		require.NotNil(t, e.handle, name)
		require.True(t, e.answer != nil || e.status == 204, "%s answers %d with a body that the table does not know", name, e.status)
		for _, p := range e.query {
			require.NotEmpty(t, p.doc, "%s: %s", name, p.name)
			require.NotNil(t, p.sample, "%s: %s", name, p.name)
		}
	}
}
