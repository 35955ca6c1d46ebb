package events

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// agree tells whether the event is of the plain form, which the decoder then reads the same.
func agree(t testing.TB, c *Catalogue, raw []byte) bool {
	t.Helper()
	got := c.decodePlain(raw)
	if got == nil {
		return false
	}
	want, err := c.decode(raw, false)
	require.NoError(t, err, "%s", raw)
	require.Equal(t, want, got, "%s", raw)
	return true
}

// The platform's events are of the plain form, but for those with fields of any value.
func TestOurEventsArePlain(t *testing.T) {
	c := Platform()
	for _, d := range c.All() {
		any := false
		d.Shape.Walk(func(_ string, m *Member) { any = any || m.Kind == KindAny })
		for _, raw := range d.Examples() {
			decoded, err := c.Decode(raw)
			require.NoError(t, err)
			encoded, err := Encode(decoded.Envelope, decoded.Payload)
			require.NoError(t, err)
			require.Equal(t, !any && !decoded.Legacy, agree(t, c, raw), "%s", raw)
			require.Equal(t, !any, agree(t, c, encoded), "%s", encoded)
		}
	}
}

// Each major version has a plain form; an event of another minor one is read by the decoder.
func TestEveryMajorVersionIsPlain(t *testing.T) {
	c := parcels(t)
	for version, data := range map[string]string{
		"1.1": `{"parcel_id":"p","receiver":"Ada Lovelace","weight":2}`,
		"2.0": `{"parcel_id":"p","first_name":"Ada","last_name":"Lovelace","weight":2}`,
		"3.0": `{"parcel_id":"p","first_name":"Ada","last_name":"Lovelace","grams":2}`,
	} {
		require.True(t, agree(t, c, sent(version, data)), version)
		require.False(t, agree(t, c, sent(version[:2]+"7", data)), version)
	}
}

// What plain reads of events that were changed anyhow is what the decoder reads of them; the decoder alone judges the others.
func TestPlainAndDecoderReadTheSame(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	c := Platform()
	var all, lines, pieces [][]byte
	for _, d := range c.All() {
		for _, raw := range d.Examples() {
			all = append(all, raw)
			for piece := range bytes.SplitSeq(raw, []byte("\n")) {
				lines = append(lines, piece)
			}
		}
	}
	for _, piece := range []string{
		"", " ", "\t", "\x00", "\x7f", "é", "\xff", `\u0041`, `\"`, `"`, ",", ":", "{", "}", "[", "]", "null", "true", "-", "-0", "0", "01", "1.0", "1e3", "9007199254740993", "999999999999999", `"0.5"`, `"1."`,
		`"2024-02-30T10:30:00Z"`, `"2024-01-15T10:30:00+00:00"`, `"2024-01-15T10:30:00.123456789Z"`, `"0999-01-15T10:30:00Z"`, `"00000000-0000-0000-0000-000000000000"`,
		`"550E8400-e29b-41d4-a716-446655440000"`, `"550e8400e29b41d4a716446655440000"`, `"{550e8400-e29b-41d4-a716-446655440000}"`, `""`, `"` + strings.Repeat("a", MaxID+1) + `"`, "9999999999999999", `"usd"`, `"-1.00"`, `"a\u0041"`,
		`"extra": 1,`, `"data": {},`, `"event_version": "1.1"`, `"1.1"`, `"version": "1.0",`,
	} {
		pieces = append(pieces, []byte(piece))
	}
	token := regexp.MustCompile(`"[^"]*"|[0-9]+`)
	read := 0
	for range 100_000 {
		raw := slices.Clone(all[random.IntN(len(all))])
		for range 1 + random.IntN(2) {
			at := random.IntN(len(raw))
			end := min(len(raw), at+random.IntN(1+random.IntN(40)))
			piece := pieces[random.IntN(len(pieces))]
			if random.IntN(2) == 0 {
				piece = lines[random.IntN(len(lines))]
			}
			switch random.IntN(4) {
			case 0: // taken out and put in again elsewhere
				piece = raw[at:end]
				at = random.IntN(len(raw))
				end = at
			case 1: // a name or a value becomes another one
				if tokens := token.FindAllIndex(raw, -1); len(tokens) > 0 {
					piece = pieces[random.IntN(len(pieces))]
					one := tokens[random.IntN(len(tokens))]
					at, end = one[0], one[1]
				}
			}
			raw = slices.Concat(raw[:at], piece, raw[end:])
		}
		if agree(t, c, raw) {
			read++
		}
	}
	require.Greater(t, read, 2_000, "some of them are plain all the same")
}

// Limits are the decoder's.
func TestPlainKeepsTheLimits(t *testing.T) {
	c := Platform()
	raw := Examples("order.created")[0]
	require.True(t, agree(t, c, raw))
	before, after, found := bytes.Cut(raw, []byte(`"items": [`))
	require.True(t, found)
	item, _, found := bytes.Cut(after, []byte("}"))
	require.True(t, found)
	item = append(slices.Clone(item), '}', ',')
	with := func(n int) []byte {
		return slices.Concat(before, []byte(`"items": [`), bytes.Repeat(bytes.Join(bytes.Fields(item), nil), n), after)
	}
	keys := bytes.Count(item, []byte(":"))
	for _, n := range []int{10, maxKeys/keys - 10, maxKeys / keys, maxKeys/keys + 1, MaxSize} {
		_, err := c.decode(with(n), false)
		require.Equal(t, err == nil, agree(t, c, with(n)), "%d items: %v", n, err)
	}
	padded := append(slices.Clone(raw), bytes.Repeat([]byte(" "), MaxSize-len(raw)+1)...)
	require.False(t, agree(t, c, padded))
	require.True(t, agree(t, c, padded[:MaxSize]))
}
