package app

import (
	"cmp"
	"context"
	"strconv"

	"github.com/first-viscount/viscount/api"
	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/transports/driver"
)

// topics are what the transport's topics keep, for the API; nil where outboxes keep recorded events.
func (a *App) topics() api.Topics {
	recorder, ok := a.transport.(driver.Recorder)
	if !ok || !a.options.Driver.Capabilities.Records {
		return nil
	}
	return keptTopics{recorder}
}

type keptTopics struct{ driver.Recorder }

// Read implements api.Topics. A message of a foreign producer may have no metadata: all is derived from its body.
func (t keptTopics) Read(ctx context.Context, topics []string, after map[string]int64, each int) ([]api.Kept, bool, error) {
	page, more, err := t.Recorder.Read(ctx, topics, after, each)
	kept := make([]api.Kept, len(page))
	for i, r := range page {
		e := events.Peek(r.Payload)
		sequence, _ := strconv.ParseInt(r.Metadata.Get(router.MetaSequence), 10, 64) // none if it is no number
		kept[i] = api.Kept{Place: r.Place, Offset: r.Offset, At: r.At, Recorded: router.Recorded{
			EventID: e.EventID, Topic: r.Topic, Key: cmp.Or(r.Metadata.Get(driver.KeyMetadata), r.Place), Sequence: sequence,
			CausationID: r.Metadata.Get(router.MetaCausationID), Payload: r.Payload,
		}}
	}
	return kept, more, err
}
