package api_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/internal/badmessages"
)

// TestEveryBadMessageIsRefusedAtPublication: with its code and the field, and nothing is stored.
func TestEveryBadMessageIsRefusedAtPublication(t *testing.T) {
	p := start(t)
	list, err := badmessages.All("../events/testdata")
	require.NoError(t, err)
	for _, m := range list {
		if m.Name == "array" { // a request of no event
			continue
		}
		answer := p.want(422, "POST", "/events", string(m.Raw))
		errs, _ := answer.body["errors"].([]any)
		require.NotEmpty(t, errs, "%s: %s", m.Name, answer.raw)
		first, _ := errs[0].(map[string]any)
		require.Equal(t, []any{m.Code, m.Path}, []any{first["code"], first["path"]}, m.Name)
		require.Equal(t, m.Code, answer.body["code"], m.Name)
	}
	for _, eventType := range []string{"order.created", "inventory.updated", "product.created"} {
		require.False(t, strings.Contains(p.want(200, "GET", "/events/recorded?type="+eventType, "").raw, "event_id"), "nothing is stored")
	}
}
