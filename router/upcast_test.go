package router_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/router/routertest"
	"github.com/first-viscount/viscount/store"
)

type noteV1 struct {
	ID   string `json:"id" rule:"id"`
	Text string `json:"text" rule:"text"`
}

type noteV2 struct {
	ID    string   `json:"id" rule:"id"`
	Lines []string `json:"lines" rule:"not_empty"`
}

func note(version string) events.Contract {
	return events.Contract{Type: "note.written", Version: version, Key: "id", Publisher: "note-service", Retention: events.Day, Purpose: "p", When: "w"}
}

func (noteV1) Contract() events.Contract { return note("1.0") }
func (noteV2) Contract() events.Contract { return note("2.0") }
func (p noteV1) Validate() error         { return events.Check(p) }
func (p noteV2) Validate() error         { return events.Check(p) }

func TestAHandlerOfTheNewMajorHearsTheOldTopicToo(t *testing.T) {
	catalogue, err := events.Platform().With(events.Define[noteV1](), events.Define(events.From(func(p noteV1) (noteV2, error) {
		return noteV2{ID: p.ID, Lines: []string{p.Text}}, nil
	})))
	require.NoError(t, err)
	var heard []noteV2
	kit := routertest.NewWith(t, catalogue, router.Settings{}, nil, router.On(func(_ context.Context, _ *store.Tx, e events.Event[noteV2]) error {
		heard = append(heard, e.Data)
		return nil
	}))
	kit.Receive(noteV1{ID: "n1", Text: "one line"})
	kit.Receive(noteV2{ID: "n1", Lines: []string{"two", "lines"}})
	require.Equal(t, []noteV2{{ID: "n1", Lines: []string{"one line"}}, {ID: "n1", Lines: []string{"two", "lines"}}}, heard)
	require.Equal(t, []string{"note.note.written.v1", "note.note.written.v2"}, kit.Service().Topics())
}
