package app

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/config"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
	"github.com/first-viscount/viscount/transports/driver"
)

// MemoV1 and MemoV2 are two major versions of an example's contract. Tests outside the package see them too.
type (
	MemoV1 struct {
		ID   string `json:"id" rule:"id"`
		Text string `json:"text" rule:"text"`
	}
	MemoV2 struct {
		ID   string `json:"id" rule:"id"`
		Body string `json:"body" rule:"text"`
	}
)

func memo(version string) events.Contract {
	return events.Contract{Type: "memo.written", Version: version, Key: "id", Publisher: "memo-service", Retention: events.Day, Purpose: "p", When: "w"}
}

func (MemoV1) Contract() events.Contract { return memo("1.0") }
func (MemoV2) Contract() events.Contract { return memo("2.0") }
func (p MemoV1) Validate() error         { return events.Check(p) }
func (p MemoV2) Validate() error         { return events.Check(p) }

// Memos are the definitions of both.
func Memos() []events.Definition {
	return []events.Definition{events.Define[MemoV1](), events.Define(events.From(func(p MemoV1) (MemoV2, error) {
		return MemoV2{ID: p.ID, Body: p.Text}, nil
	}))}
}

// TestTopicsOfEveryMajorVersion: a publisher emits both while the older one is kept, and a handler of the newer one hears both.
// topics plan, list and apply go by the same options.
func TestTopicsOfEveryMajorVersion(t *testing.T) {
	catalogue, err := events.Platform().With(Memos()...)
	require.NoError(t, err)
	handler := func(context.Context, *store.Tx, events.Event[MemoV2]) error { return nil }
	publisher, reader := router.Consumer{Name: "memo"}, router.Consumer{Name: "reader", Routes: []router.Route{router.On(handler)}}
	one, two := memo("1.0"), memo("2.0")
	topics := []driver.Topic{{Name: one.Topic(), Retention: events.Day}, {Name: two.Topic(), Retention: events.Day}}
	notices := []driver.Topic{{Name: one.DeadLetterTopic(), Retention: noticeRetention}, {Name: two.DeadLetterTopic(), Retention: noticeRetention}}

	all := []router.Consumer{publisher, reader}
	o := transportOptions(config.Config{}, all, all, catalogue)
	require.ElementsMatch(t, append(topics, notices...), o.Topics)
	require.ElementsMatch(t, []string{one.Topic(), two.Topic()}, o.Consumers["reader"])
	require.ElementsMatch(t, []string{one.Topic(), two.Topic()}, o.Audience["reader"])

	require.ElementsMatch(t, topics, transportOptions(config.Config{}, all[:1], all, catalogue).Topics, "the publisher's process alone")
	require.ElementsMatch(t, append(topics, notices...), transportOptions(config.Config{}, all[1:], all, catalogue).Topics, "the reader's process alone")
}
