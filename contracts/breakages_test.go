package contracts_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
)

// breakage is a way to break an example: a field removed, or set to another value, and the path at which that must be found.
type breakage struct {
	Example string `json:"example"`
	What    string `json:"what"`
	Remove  string `json:"remove"`
	Set     string `json:"set"`
	Value   any    `json:"value"`
	Path    string `json:"path"`
}

// readBreakages reads the list that Go, the schemas and the Python package are all tried with.
func readBreakages(t *testing.T) (all []breakage) {
	file, err := os.Open("../events/testdata/breakages.ndjson")
	require.NoError(t, err)
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.UseNumber()
		var b breakage
		require.NoError(t, dec.Decode(&b))
		all = append(all, b)
	}
	return all
}

func (b breakage) apply(t *testing.T) []byte {
	document := parse(events.Examples(b.Example)[0])
	names := strings.Split(b.Remove+b.Set, "/")[1:]
	var node any = document
	for _, name := range names[:len(names)-1] {
		if list, ok := node.([]any); ok {
			i, err := strconv.Atoi(name)
			require.NoError(t, err)
			node = list[i]
			continue
		}
		node = node.(map[string]any)[name]
	}
	switch last := names[len(names)-1]; {
	case b.Remove != "":
		require.Contains(t, node, last)
		delete(node.(map[string]any), last)
	case last == "0":
		node.([]any)[0] = b.Value
	default:
		node.(map[string]any)[last] = b.Value
	}
	raw, err := json.Marshal(document)
	require.NoError(t, err)
	return raw
}

func TestEachListedBreakageIsRefusedAtItsPathByGoAndBySchema(t *testing.T) {
	catalogue := events.Platform()
	schemas := compileAll(t, catalogue)
	all := readBreakages(t)
	require.GreaterOrEqual(t, len(all), 200)
	for _, b := range all {
		raw := b.apply(t)
		_, err := catalogue.Decode(raw)
		var bad *events.Invalid
		require.ErrorAs(t, err, &bad, "Go accepts: %s", raw)
		var paths []string
		for _, p := range bad.Problems {
			require.False(t, p.BeyondSchema(), "%v: the list is for what schemas state", b)
			paths = append(paths, p.Path)
		}
		require.Equal(t, []string{b.Path}, slices.Compact(paths), "Go: %v: %s", b, err)
		paths, err = refusals(schemas[b.Example], raw)
		require.NoError(t, err)
		require.Equal(t, []string{b.Path}, paths, "schema: %v", b)
	}
}
