package api

import (
	"context"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// Topics are the topics of a transport that keeps recorded events in them. Positions are offsets by place.
type Topics interface {
	// Count is about how many messages the topics hold.
	Count(ctx context.Context, topics []string) (int64, error)
	// Ends is how far the topics go now.
	Ends(ctx context.Context, topics []string) (map[string]int64, error)
	// Read gives the messages after the positions, from each place at most so many; more says that some place holds more.
	Read(ctx context.Context, topics []string, after map[string]int64, each int) (page []Kept, more bool, err error)
}

// Kept is a message as its topic keeps it. Those of a place are in order.
type Kept struct {
	router.Recorded
	Place  string
	Offset int64
	At     time.Time // when the transport took it
}

// fromTopics reads what topics hold after the positions, and moves them. Whoever published it, and whatever it is: a consumer has
// received the same.
func (s *Server) fromTopics(ctx context.Context, topics []string, at map[string]int64) (page []router.Recorded, more bool, err error) {
	kept, more, err := s.Topics.Read(ctx, topics, at, recordedPage)
	for i := range kept {
		k := &kept[i]
		if k.Payload, err = s.withoutErased(ctx, k.Topic, k.Payload); err != nil {
			return nil, false, err
		}
		at[k.Place] = max(at[k.Place], k.Offset)
		page = append(page, k.Recorded)
	}
	return page, more, err
}

// streamed is an event for a client; it moves the position of its source.
type streamed struct {
	source string
	at     time.Time
	row    store.Row // only ID and, unless it is no event of a contract, OccurredAt, CorrelationID and Payload
}

// eventsOf reads the contract events that topics hold after the positions, in their canonical form and the order of time.
// What is no such event comes without a payload.
func (s *Server) eventsOf(ctx context.Context, topics []string, at map[string]int64, each int) (found []streamed, more bool, err error) {
	kept, more, err := s.Topics.Read(ctx, topics, at, each)
	if err != nil {
		return nil, false, err
	}
	taken := map[string]int{}
	for _, k := range kept {
		taken[k.Place]++
		one := streamed{source: k.Place, at: k.At, row: store.Row{ID: k.Offset}}
		if d, err := s.Catalogue.Decode(k.Payload); err == nil && d.Payload.Contract().Topic() == k.Topic {
			raw, err := s.withoutErased(ctx, k.Topic, d.Raw)
			if err != nil {
				return nil, false, err
			}
			one.at = d.Envelope.Timestamp
			one.row.OccurredAt, one.row.CorrelationID, one.row.Payload = one.at, d.Envelope.CorrelationID, raw
		}
		found = append(found, one)
	}
	last := inTime(found)
	horizon := time.Time{}
	for place, n := range taken {
		if n == each && (horizon.IsZero() || last[place].Before(horizon)) {
			horizon = last[place]
		}
	}
	if !horizon.IsZero() { // what follows may be older
		found = slices.DeleteFunc(found, func(one streamed) bool { return one.at.After(horizon) })
	}
	return found, more, nil
}

// inTime puts events in the order of their times, those of one source as they came, and tells the last time of each source.
func inTime(found []streamed) (last map[string]time.Time) {
	last = map[string]time.Time{}
	for i := range found {
		one := &found[i]
		if before := last[one.source]; one.at.Before(before) {
			one.at = before
		}
		last[one.source] = one.at
	}
	slices.SortStableFunc(found, func(a, b streamed) int { return a.at.Compare(b.at) })
	return last
}

// itemsOf reads a page of the topics' events, and moves the positions. An empty page is the end.
func (s *Server) itemsOf(ctx context.Context, topics []string, at map[string]int64) ([]jsontext.Value, error) {
	items := []jsontext.Value{}
	for more := true; more && len(items) == 0; {
		var found []streamed
		var err error
		if found, more, err = s.eventsOf(ctx, topics, at, maxLimit); err != nil {
			return nil, err
		}
		for _, one := range found {
			if len(items) == maxLimit {
				break
			}
			at[one.source] = one.row.ID
			if one.row.Payload != nil {
				items = append(items, one.row.Payload)
			}
		}
	}
	return items, nil
}

// withoutErased is a message as it may be shown: topics keep what was erased later.
func (s *Server) withoutErased(ctx context.Context, topic string, payload []byte) ([]byte, error) {
	d, known := s.Catalogue.ByTopic(topic)
	if !known || !d.Personal() || len(s.Services) == 0 {
		return payload, nil
	}
	event, err := s.Catalogue.Decode(payload)
	if err != nil {
		return payload, nil
	}
	erased := false
	err = s.Services[0].Store().View(ctx, func(ctx context.Context, r store.Reader) (err error) {
		erased, err = store.Erased(ctx, r, event)
		return err
	})
	if err != nil || !erased {
		return payload, err
	}
	return event.Redacted()
}
