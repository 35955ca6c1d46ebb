package events

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/internal/badmessages"
)

var update = flag.Bool("update", false, "write the canonical forms instead of comparing them")

func example(t testing.TB, eventType string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", eventType+".json"))
	require.NoError(t, err)
	return raw
}

func TestEveryExampleDecodesAndItsCanonicalFormIsPinned(t *testing.T) {
	catalogue := Platform()
	for _, d := range catalogue.All() {
		t.Run(d.Contract.Type, func(t *testing.T) {
			raw := example(t, d.Contract.Type)
			got, err := catalogue.Decode(raw)
			require.NoError(t, err)
			require.Equal(t, d.Contract.Type, got.Envelope.EventType)
			require.NotEmpty(t, got.Key)
			require.Equal(t, strings.HasPrefix(d.Contract.Type, "inventory.") && !d.Contract.Addition, got.Legacy)
			if !got.Legacy {
				require.Equal(t, string(raw), string(got.Raw), "canonical input passes through byte for byte")
			}

			encoded, err := Encode(got.Envelope, got.Payload)
			require.NoError(t, err)
			golden := filepath.Join("testdata", "canonical", d.Contract.Type+".json")
			if *update {
				require.NoError(t, os.WriteFile(golden, append(encoded, '\n'), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, strings.TrimSpace(string(want)), string(encoded))
			require.JSONEq(t, string(got.Raw), string(encoded), "encoding loses nothing of the example")

			again, err := catalogue.CheckPublish(encoded)
			require.NoError(t, err)
			require.Equal(t, got.Digest(), again.Digest(), "the same content has the same digest, whatever its bytes")
		})
	}
}

func TestUnknownFieldsSurviveTheRewriteOfTheOldDialect(t *testing.T) {
	raw := strings.Replace(string(example(t, "inventory.reserved")), `"data": {`, `"vendor": {"big": 12345678901234567890},
  "data": {"shelf" : "A-7",`, 1)
	got, err := Platform().Decode([]byte(raw))
	require.NoError(t, err)
	require.True(t, got.Legacy)
	want := strings.Replace(strings.Replace(raw, `"version"`, `"event_version"`, 1), `"InventoryReserved"`, `"inventory.reserved"`, 1)
	require.Equal(t, want, string(got.Raw))
}

const (
	created = "order.created"
	updated = "inventory.updated"
)

func TestBadMessagesAreNamed(t *testing.T) {
	list, err := badmessages.All("testdata")
	require.NoError(t, err)
	for _, m := range list {
		t.Run(m.Name, func(t *testing.T) {
			_, err := Platform().Decode(m.Raw)
			var bad *Invalid
			require.ErrorAs(t, err, &bad)
			require.Equal(t, m.Code, string(bad.Problems[0].Code), "%s", err)
			require.Equal(t, m.Path, bad.Problems[0].Path)
			require.NotEmpty(t, bad.Problems[0].Detail)
		})
	}
}

func TestEveryProblemIsReportedTogether(t *testing.T) {
	text := strings.NewReplacer(`"quantity": 2`, `"quantity": 0`, `"USD"`, `"usd"`).Replace(string(example(t, created)))
	_, err := Platform().Decode([]byte(text))
	var bad *Invalid
	require.ErrorAs(t, err, &bad)
	require.Len(t, bad.Problems, 2)
}

func TestAcceptedMessages(t *testing.T) {
	text := string(example(t, created))
	extra := func(value string) []string { return []string{`"status"`, `"extra":` + value + `,"status"`} }
	keys := strings.TrimSuffix(strings.Repeat(`{"a":1},`, maxKeys-strings.Count(text, `":`)-1), ",")
	for name, replace := range map[string][]string{
		"total differs from its lines":  {`"47.98"`, `"99.99"`},
		"minor version not yet known":   {`"event_version": "1.0"`, `"event_version": "1.7"`},
		"+00:00 is UTC":                 {"2024-01-15T12:00:00Z", "2024-01-15T12:00:00+00:00"},
		"one decimal":                   {`"47.98"`, `"47.9"`},
		"no decimals":                   {`"47.98"`, `"47"`},
		"correlation without a prefix":  {"order_550e8400-e29b-41d4-a716-446655440016", "550e8400-e29b-41d4-a716-446655440016"},
		"unknown fields":                extra(`{"a":[1,null,1e999]}`),
		"a pair of surrogates":          {"Anytown", `\ud83d\ude00`},
		"a backslash before u0000":      {"Anytown", `\\u0000`},
		"as deep as allowed":            extra(strings.Repeat("[", 30) + strings.Repeat("]", 30)),
		"as many keys as allowed":       extra("[" + keys + "]"),
		"as large as allowed":           {"Anytown", strings.Repeat("x", MaxSize-len(text)+len("Anytown"))},
		"a clock ahead by days":         {"2024-01-15T12:00:00Z", "2094-01-15T12:00:00Z"},
		"a value that is not yet known": {`"status": "pending"`, `"status": "dreaming"`},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, text, replace[0])
			_, err := Platform().Decode([]byte(strings.Replace(text, replace[0], replace[1], 1)))
			require.NoError(t, err)
		})
	}
}

func TestVocabulariesAreOpenForConsumersAndClosedForPublishers(t *testing.T) {
	raw := []byte(strings.Replace(string(example(t, updated)), `"restock"`, `"teleport"`, 1))
	_, err := Platform().Decode(raw)
	require.NoError(t, err)
	_, err = Platform().CheckPublish(raw)
	require.ErrorContains(t, err, "teleport")
	_, err = Encode(Envelope{}, InventoryUpdated{ProductID: "p", UpdateType: "teleport"})
	require.ErrorContains(t, err, "/data/update_type")
}

func TestEncodeWritesUTCWhateverZoneAHandlerWorkedIn(t *testing.T) {
	at := time.Date(2026, 1, 1, 3, 0, 0, 0, time.FixedZone("somewhere", 3600))
	raw, err := Encode(Envelope{
		EventID: uuid.MustParse("550e8400-e29b-41d4-a716-446655440015"), CorrelationID: "c", Timestamp: at, SourceService: InventoryService, EventVersion: "1.0", EventType: "inventory.reserved",
	}, InventoryReserved{ReservationID: "r", ProductID: "p", Quantity: 1, ExpiresAt: &at})
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(raw), `"2026-01-01T02:00:00Z"`), "%s", raw)
	_, err = Platform().Decode(raw)
	require.NoError(t, err)
}

func TestDigestKeepsLargeIntegersApart(t *testing.T) {
	digest := func(n string) [16]byte {
		d, err := Platform().Decode([]byte(strings.Replace(string(example(t, "product.created")), `"weight": "1kg"`, `"weight": `+n, 1)))
		require.NoError(t, err)
		return d.Digest()
	}
	require.NotEqual(t, digest("9007199254740992"), digest("9007199254740993"))
}

func TestPersonalDataIsMarked(t *testing.T) {
	d, _ := Platform().Lookup(created)
	personal := map[string]bool{}
	for _, f := range d.Fields() {
		personal[f.Path] = f.Personal
	}
	for _, path := range []string{"shipping_address", "billing_address", "shipping_address.street", "billing_address.zip"} {
		require.True(t, personal[path], path)
	}
	require.False(t, personal["order_id"])
}

func TestMoney(t *testing.T) {
	for text, want := range map[string]Money{"12": 1200, "12.5": 1250, "12.50": 1250, "0.01": 1, "0": 0} {
		got, err := ParseMoney(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", ".", "1.", ".5", "1.234", "-1", "+1", "1e2", "1,00", "99999999999999999999"} {
		_, err := ParseMoney(text)
		require.Error(t, err, text)
	}
	require.Equal(t, "12.05", Money(1205).String())
	require.Equal(t, Money(3615), Money(1205).Times(3))
}

func TestNewer(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	e := Event[ProductDeleted]{Sequence: 5, Envelope: Envelope{Timestamp: at}}
	require.True(t, e.Newer(4, at.Add(time.Hour)))
	require.False(t, e.Newer(5, at.Add(-time.Hour)))
	e.Sequence = 0
	require.True(t, e.Newer(9, at.Add(-time.Hour)))
	require.False(t, e.Newer(9, at))
}

func FuzzDecode(f *testing.F) {
	catalogue := Platform()
	for _, d := range catalogue.All() {
		f.Add(example(f, d.Contract.Type))
	}
	bad, err := badmessages.All("testdata")
	require.NoError(f, err)
	for _, m := range bad {
		f.Add(m.Raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		agree(t, catalogue, raw)
		got, err := catalogue.Decode(raw)
		if err != nil {
			return
		}
		again, err := catalogue.Decode(got.Raw)
		require.NoError(t, err, "the canonical form decodes")
		require.False(t, again.Legacy)
		require.Equal(t, got.Digest(), again.Digest())
	})
}

func BenchmarkDecode(b *testing.B) {
	catalogue := Platform()
	raw := example(b, created)
	b.Run("catalogue", func(b *testing.B) {
		for b.Loop() {
			if _, err := catalogue.Decode(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("catalogue and digest", func(b *testing.B) {
		for b.Loop() {
			d, err := catalogue.Decode(raw)
			if err != nil {
				b.Fatal(err)
			}
			d.Digest()
		}
	})
	b.Run("encoding/json without checks", func(b *testing.B) {
		for b.Loop() {
			var e struct {
				Envelope
				Data OrderCreated `json:"data"`
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Everything that is wrong with an event is told at once, and nothing that only follows from it.
func TestAllProblemsOfAnEventAreToldAtOnce(t *testing.T) {
	raw, err := os.ReadFile("testdata/order.completed.json")
	require.NoError(t, err)
	var event map[string]any
	require.NoError(t, json.Unmarshal(raw, &event))
	event["data"] = map[string]any{"order_id": "", "final_amount": "1,50", "payment_id": 7, "completion_time": "yesterday", "currency": "usd"}
	raw, err = json.Marshal(event)
	require.NoError(t, err)
	var bad *Invalid
	_, err = Platform().Decode(raw)
	require.ErrorAs(t, err, &bad)
	found := map[string]Code{}
	for _, p := range bad.Problems {
		require.NotContains(t, found, p.Path, "each place once")
		found[p.Path] = p.Code
	}
	require.Equal(t, map[string]Code{
		"/data/order_id": MissingField, "/data/final_amount": InvalidMoney, "/data/payment_id": WrongType, "/data/fulfillment_id": MissingField,
		"/data/completion_time": InvalidTimestamp, "/data/currency": InvalidValue,
	}, found)
}
