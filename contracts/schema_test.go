package contracts_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
)

// compile gives a contract's schema to the validator, which checks it against the dialect's own schema.
func compile(t testing.TB, s *contracts.Schema) *jsonschema.Schema {
	t.Helper()
	raw, err := contracts.Write(s)
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource(s.ID, document))
	compiled, err := c.Compile(s.ID)
	require.NoError(t, err)
	return compiled
}

func compileAll(t testing.TB, c *events.Catalogue) map[string]*jsonschema.Schema {
	all := map[string]*jsonschema.Schema{}
	for _, d := range c.All() {
		all[d.Contract.Type] = compile(t, contracts.Event(d))
	}
	return all
}

// refusals are the paths at which a schema refuses a document; none if it accepts it.
func refusals(s *jsonschema.Schema, raw []byte) (paths []string, err error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	var bad *jsonschema.ValidationError
	if errors.As(s.Validate(document), &bad) {
		collect(bad, &paths)
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

func collect(e *jsonschema.ValidationError, paths *[]string) {
	at := pointer(e.InstanceLocation...)
	if missing, ok := e.ErrorKind.(*kind.Required); ok {
		for _, name := range missing.Missing {
			*paths = append(*paths, at+pointer(name))
		}
	} else if len(e.Causes) == 0 {
		*paths = append(*paths, at)
	}
	for _, cause := range e.Causes {
		collect(cause, paths)
	}
}

func pointer(names ...string) (path string) {
	for _, name := range names {
		path += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	return path
}

func TestEveryExampleIsValidBySchema(t *testing.T) {
	catalogue := events.Platform()
	envelope := compile(t, contracts.Envelope())
	for eventType, schema := range compileAll(t, catalogue) {
		examples := events.Examples(eventType)
		require.NotEmpty(t, examples, eventType)
		for _, raw := range examples {
			decoded, err := catalogue.Decode(raw)
			require.NoError(t, err, eventType)
			canonical, err := events.Encode(decoded.Envelope, decoded.Payload)
			require.NoError(t, err)
			for _, document := range [][]byte{raw, decoded.Raw, canonical} {
				for _, s := range []*jsonschema.Schema{schema, envelope} {
					paths, err := refusals(s, document)
					require.NoError(t, err)
					require.Empty(t, paths, "%s: %s", eventType, document)
				}
			}
		}
	}
}

func TestASchemaSaysWhatItsContractSays(t *testing.T) {
	d, _ := events.Platform().Lookup("order.cancelled")
	raw, err := contracts.Write(contracts.Event(d))
	require.NoError(t, err)
	var document map[string]any
	require.NoError(t, json.Unmarshal(raw, &document))
	require.Equal(t, "Published when an order is cancelled.", document["description"])
	notes := document["x-contract"].(map[string]any)
	require.Equal(t, map[string]any{
		"type": "order.cancelled", "version": "1.0", "when_published": "After order cancellation processing and inventory release.", "publisher": "order-management-service",
		"consumers": []any{"inventory", "payments", "notifications", "fulfillment"}, "topic": "order-management.order.cancelled.v1", "dead_letter_topic": "order-management.order.cancelled.v1.dlq",
		"key": []any{"order_id"}, "follows": []any{"order.created"}, "retention": strconv.Itoa(400) + " days", "addition": false,
	}, notes)
	created, _ := events.Platform().Lookup("order.created")
	raw, err = contracts.Write(contracts.Event(created))
	require.NoError(t, err)
	require.Equal(t, 7, strings.Count(string(raw), `"x-classification": "personal"`), "two addresses, and five fields of an address")
	require.Equal(t, 1, strings.Count(string(raw), `"x-classification": "subject"`))
	require.Equal(t, "subject", contracts.Event(created).Properties.Get("data").Properties.Get("customer_id").Class)
}

func TestVocabulariesAreOpenInSchemas(t *testing.T) {
	d, _ := events.Platform().Lookup("inventory.updated")
	raw := bytes.Replace(events.Examples("inventory.updated")[0], []byte(`"restock"`), []byte(`"teleport"`), 1)
	paths, err := refusals(compile(t, contracts.Event(d)), raw)
	require.NoError(t, err)
	require.Empty(t, paths)
}

func TestOurOptionsAreReadBack(t *testing.T) {
	for _, d := range events.Platform().All() {
		want := contracts.Event(d)
		raw, err := contracts.Write(want)
		require.NoError(t, err)
		got, err := contracts.Read(raw)
		require.NoError(t, err)
		again, err := contracts.Write(got)
		require.NoError(t, err)
		require.Equal(t, string(raw), string(again))
	}
}

// TestEveryPropertyIsDescribed in the schemas and, with them, in the AsyncAPI document.
func TestEveryPropertyIsDescribed(t *testing.T) {
	var described func(of string, s *contracts.Schema)
	described = func(of string, s *contracts.Schema) {
		for _, p := range s.Properties {
			require.NotEmpty(t, p.Value.Description, "%s/%s", of, p.Name)
			described(of+"/"+p.Name, p.Value)
		}
		for _, def := range s.Defs {
			described(of+"#"+def.Name, def.Value)
		}
	}
	described("envelope", contracts.Envelope())
	for _, d := range events.Platform().All() {
		described(d.Contract.Type, contracts.Event(d))
	}
}
