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
	edit := func(eventType, old, with string) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			text := string(example(t, eventType))
			require.Contains(t, text, old)
			return []byte(strings.Replace(text, old, with, 1))
		}
	}
	raw := func(text string) func(*testing.T) []byte {
		return func(*testing.T) []byte { return []byte(text) }
	}
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for name, c := range map[string]struct {
		message func(*testing.T) []byte
		code    Code
		path    string
	}{
		"empty":                {raw(""), MalformedJSON, ""},
		"truncated":            {raw(`{"event_id":"x"`), MalformedJSON, ""},
		"trailing bytes":       {edit(created, "\n}\n", "\n} 1"), MalformedJSON, ""},
		"byte order mark":      {raw("\xef\xbb\xbf{}"), MalformedJSON, ""},
		"null":                 {raw("null"), NotObject, ""},
		"array":                {raw("[]"), NotObject, ""},
		"duplicate key":        {edit(created, `"order_id": "order_987654321",`, `"order_id": "a", "order_id": "b",`), DuplicateKey, "/data/order_id"},
		"missing event_id":     {edit(created, `"event_id"`, `"id"`), MissingField, "/event_id"},
		"other case":           {edit(created, `"customer_id"`, `"customerId"`), MissingField, "/data/customer_id"},
		"null required":        {edit(created, `"cust_123456789"`, `null`), MissingField, "/data/customer_id"},
		"invalid UTF-8":        {edit(created, "Anytown", "Any\xfftown"), InvalidUTF8, ""},
		"lone surrogate":       {edit(created, "Anytown", `\ud800`), InvalidUTF8, "/data/shipping_address/city"},
		"NUL":                  {edit(created, "Anytown", `\u0000`), ControlChar, ""},
		"NaN":                  {edit(created, `"quantity": 2`, `"quantity": NaN`), InvalidNumber, "/data/items/0/quantity"},
		"nil UUID":             {edit(created, "550e8400-e29b-41d4-a716-446655440015", "00000000-0000-0000-0000-000000000000"), InvalidEventID, "/event_id"},
		"loose time":           {edit(created, "2024-01-15T12:00:00Z", "2024-01-15T1:00:00Z"), InvalidTimestamp, "/timestamp"},
		"comma in a time":      {edit(created, "2024-01-15T12:00:00Z", "2024-01-15T12:00:00,5Z"), InvalidTimestamp, "/timestamp"},
		"huge number":          {edit(created, `"quantity": 2`, `"quantity": 1e999`), InvalidNumber, "/data/items/0/quantity"},
		"fraction":             {edit(created, `"quantity": 2`, `"quantity": 1.5`), InvalidNumber, "/data/items/0/quantity"},
		"over 2^53":            {edit(created, `"quantity": 2`, `"quantity": 9007199254740993`), OutOfRange, "/data/items/0/quantity"},
		"zero quantity":        {edit(created, `"quantity": 2`, `"quantity": 0`), InvalidValue, "/data/items/0/quantity"},
		"string for number":    {edit(created, `"quantity": 2`, `"quantity": "2"`), WrongType, "/data/items/0/quantity"},
		"object for list":      {edit(created, `"items": [`, `"items": {}, "other": [`), WrongType, "/data/items"},
		"number for price":     {edit(created, `"47.98"`, `47.98`), WrongType, "/data/total_amount"},
		"three decimals":       {edit(created, `"47.98"`, `"47.981"`), InvalidMoney, "/data/total_amount"},
		"negative price":       {edit(created, `"47.98"`, `"-47.98"`), InvalidMoney, "/data/total_amount"},
		"too deep":             {edit(created, `"status"`, `"deep":`+deep+`,"status"`), TooDeep, ""},
		"too large":            {edit(created, "Anytown", strings.Repeat("x", MaxSize)), TooLarge, ""},
		"too many keys":        {edit(created, `"status"`, strings.Repeat(`"k":[{"a":1}],`, 1)+`"many":[`+strings.TrimSuffix(strings.Repeat(`{"a":1},`, 10_001), ",")+`],"status"`), TooLarge, ""},
		"no UUID":              {edit(created, "550e8400-e29b-41d4-a716-446655440015", "42"), InvalidEventID, "/event_id"},
		"two versions":         {edit(created, `"event_version": "1.0"`, `"event_version": "1.0", "version": "1.1"`), VersionConflict, "/version"},
		"major 2":              {edit(created, `"event_version": "1.0"`, `"event_version": "2.0"`), UnsupportedVersion, "/event_version"},
		"unknown type":         {edit(created, `"order.created"`, `"order.exploded"`), UnknownType, "/event_type"},
		"wrong publisher":      {edit(created, "order-management-service", "payment-service"), WrongPublisher, "/source_service"},
		"no zone":              {edit(created, "2024-01-15T12:00:00Z", "2024-01-15T12:00:00"), InvalidTimestamp, "/timestamp"},
		"another zone":         {edit(created, "2024-01-15T12:00:00Z", "2024-01-15T12:00:00+02:00"), InvalidTimestamp, "/timestamp"},
		"available wrong":      {edit(updated, "145", "144"), InvalidValue, "/data/available_quantity"},
		"attributes no object": {edit("product.created", `"attributes": {`, `"attributes": [], "other": {`), WrongType, "/data/attributes"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Platform().Decode(c.message(t))
			var bad *Invalid
			require.ErrorAs(t, err, &bad)
			require.Equal(t, c.code, bad.Problems[0].Code, "%s", err)
			require.Equal(t, c.path, bad.Problems[0].Path)
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
	for name, replace := range map[string][]string{
		"total differs from its lines": {`"47.98"`, `"99.99"`},
		"minor version not yet known":  {`"event_version": "1.0"`, `"event_version": "1.7"`},
		"+00:00 is UTC":                {"2024-01-15T12:00:00Z", "2024-01-15T12:00:00+00:00"},
		"one decimal":                  {`"47.98"`, `"47.9"`},
		"no decimals":                  {`"47.98"`, `"47"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Platform().Decode([]byte(strings.Replace(string(example(t, created)), replace[0], replace[1], 1)))
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
	for _, path := range []string{"shipping_address", "billing_address", "shipping_address/street", "billing_address/zip"} {
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
	f.Fuzz(func(t *testing.T, raw []byte) {
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
