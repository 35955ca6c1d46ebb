package contracts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/contracts"
	"github.com/first-viscount/viscount/events"
)

// memoV1 and memoV2 are two major versions of an example's contract.
type (
	memoV1 struct {
		ID   string `json:"id" rule:"id"`
		Text string `json:"text" rule:"text"`
	}
	memoV2 struct {
		ID    string `json:"id" rule:"id"`
		Title string `json:"title" rule:"text"`
	}
)

func memo(version string, consumers ...string) events.Contract {
	return events.Contract{Type: "memo.written", Version: version, Key: "id", Publisher: "memo-service", Consumers: consumers, Retention: events.Day, Purpose: "p", When: "w", Migration: "m"}
}

func (memoV1) Contract() events.Contract { return memo("1.0", "archive", "mail") }
func (memoV2) Contract() events.Contract { return memo("2.0", "mail", "search") }
func (p memoV1) Validate() error         { return events.Check(p) }
func (p memoV2) Validate() error         { return events.Check(p) }

func titled(old memoV1) (memoV2, error) {
	if old.Text == "panic" {
		panic("no such memo")
	}
	title, _, ok := strings.Cut(old.Text, ":")
	if !ok {
		return memoV2{}, errors.New("a memo without a title")
	}
	return memoV2{ID: old.ID, Title: title}, nil
}

func memos(t *testing.T, definitions ...events.Definition) *events.Catalogue {
	t.Helper()
	c, err := events.NewCatalogue(definitions...)
	require.NoError(t, err)
	return c
}

func written(version, data string) []byte {
	return []byte(`{"event_id":"550e8400-e29b-41d4-a716-446655440015","correlation_id":"c","timestamp":"2026-01-01T00:00:00Z","source_service":"memo-service",` +
		`"event_version":"` + version + `","event_type":"memo.written","data":` + data + `}`)
}

// TestReplayedEventsAreUpgraded: what an upcaster refuses breaks for those that want the newer major version.
func TestReplayedEventsAreUpgraded(t *testing.T) {
	both := memos(t, events.Define[memoV1](), events.Define(events.From(titled)))
	replay := contracts.ReplayEvents(both, nil, [][]byte{
		written("1.0", `{"id":"m1","text":"Lunch: at noon"}`), written("1.0", `{"id":"m2","text":"hello"}`), written("1.0", `{"id":"m3"}`), written("2.0", `{"id":"m4","title":"Tea"}`),
		written("1.0", `{"id":"m5","text":"panic"}`),
	})
	require.Equal(t, contracts.Replay{Events: 5, Broken: 3, ByType: []contracts.Broken{{
		Type: "memo.written", Major: "1", Events: 4, Broken: 3, Consumers: map[string]int{"archive": 1, "mail": 3, "search": 3},
		Problems: map[string]int{"upgrading to 2.0: a memo without a title": 1, "upgrading to 2.0: the upcaster panics: no such memo": 1, "/data/text missing_field": 1},
	}}}, replay)
}

// TestARemovedContractNamesWhoHeardIt: its consumers stand in the state before.
func TestARemovedContractNamesWhoHeardIt(t *testing.T) {
	first, second := written("1.0", `{"id":"m1","text":"Lunch: at noon"}`), written("2.0", `{"id":"m4","title":"Tea"}`)
	v1 := memos(t, events.Define[memoV1]())
	both := memos(t, events.Define[memoV1](), events.Define(events.From(titled)))
	for name, c := range map[string]struct {
		after, before *events.Catalogue
		want          []contracts.Broken
	}{
		"both versions": {memos(t), both, []contracts.Broken{
			{Type: "memo.written", Major: "1", Events: 1, Broken: 1, Consumers: map[string]int{"archive": 1, "mail": 1, "search": 1}, Problems: map[string]int{"/event_type unknown_type": 1}},
			{Type: "memo.written", Major: "2", Events: 1, Broken: 1, Consumers: map[string]int{"mail": 1, "search": 1}, Problems: map[string]int{"/event_type unknown_type": 1}},
		}},
		"the newer one": {v1, both, []contracts.Broken{
			{Type: "memo.written", Major: "2", Events: 1, Broken: 1, Consumers: map[string]int{"mail": 1, "search": 1}, Problems: map[string]int{"/event_version unsupported_version": 1, "/data/text missing_field": 1}},
		}},
		"nobody knows of it": {memos(t), nil, []contracts.Broken{
			{Type: "memo.written", Major: "1", Events: 1, Broken: 1, Consumers: map[string]int{}, Problems: map[string]int{"/event_type unknown_type": 1}},
			{Type: "memo.written", Major: "2", Events: 1, Broken: 1, Consumers: map[string]int{}, Problems: map[string]int{"/event_type unknown_type": 1}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var before contracts.Set
			if c.before != nil {
				before = contracts.Current(c.before)
			}
			require.Equal(t, c.want, contracts.ReplayEvents(c.after, before, [][]byte{first, second}).ByType)
		})
	}
}

func TestAnEventOfTheOldDialectIsReplayedUnderItsVersion(t *testing.T) {
	raw := strings.Replace(string(events.Examples("inventory.reserved")[0]), `"quantity": 2`, `"quantity": 0`, 1)
	replay := contracts.ReplayEvents(events.Platform(), nil, [][]byte{[]byte(raw)})
	require.Len(t, replay.ByType, 1)
	require.Equal(t, "inventory.reserved", replay.ByType[0].Type)
	require.Equal(t, "1", replay.ByType[0].Major)
	require.Equal(t, map[string]int{"orders": 1, "analytics": 1}, replay.ByType[0].Consumers)
}
