package routertest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/first-viscount/viscount/events"
	"github.com/first-viscount/viscount/router"
	"github.com/first-viscount/viscount/store"
)

// Record adds events to what the publishers recorded, beside those that the kit received: they have not arrived here (yet).
func (k *Kit) Record(p events.Payload) {
	k.t.Helper()
	k.recorded = append(k.recorded, k.written(p, k.next(p), k.Now()))
}

// Arrive handles what Record recorded, as when it comes late.
func (k *Kit) Arrive() {
	k.t.Helper()
	for _, d := range k.recorded {
		k.receiveRaw(d)
	}
}

// Forget drops events of a type from what the publishers recorded, as when their retention is over.
func (k *Kit) Forget(eventType string) {
	k.forgotten = append(k.forgotten, "."+eventType+".v")
}

// Rebuild fills the projection again from what the publishers recorded.
func (k *Kit) Rebuild(acceptLoss bool) router.Rebuilding {
	k.t.Helper()
	return k.RebuildFrom(recorder{k}, acceptLoss)
}

// RebuildFrom fills the projection from other recorded events.
func (k *Kit) RebuildFrom(from router.Recorder, acceptLoss bool) router.Rebuilding {
	k.t.Helper()
	standing, err := k.service.RunRebuild(k.t.Context(), from, acceptLoss)
	k.must(err, "rebuilding")
	return standing
}

// WantRebuilt fills the projection again: every row must be what it was.
func (k *Kit) WantRebuilt() {
	k.t.Helper()
	before := k.projection()
	if standing := k.Rebuild(false); standing.State != router.RebuildDone {
		k.t.Fatalf("the rebuild is %s: %s", standing.State, standing.Detail)
	}
	after := k.projection()
	for _, line := range after {
		if !slices.Contains(before, line) {
			k.t.Errorf("rebuilt, there is a row more, or another one: %s", line)
		}
	}
	for _, line := range before {
		if !slices.Contains(after, line) {
			k.t.Errorf("rebuilt, a row is missing: %s", line)
		}
	}
}

func (k *Kit) projection() (lines []string) {
	k.t.Helper()
	k.View(func(ctx context.Context, r store.Reader) error {
		for _, table := range k.service.Consumer().Rebuild.Tables {
			rows, err := rowsOf(ctx, r, table)
			if err != nil {
				return err
			}
			for _, row := range rows {
				lines = append(lines, table+" "+row)
			}
		}
		return nil
	})
	return lines
}

// recorder gives what the kit received, topic by topic: as outboxes do, and in another order than it came.
type recorder struct{ k *Kit }

func (r recorder) all(topics []string) (all []router.Recorded) {
	for _, topic := range topics {
		for _, d := range append(slices.Clone(r.k.received), r.k.recorded...) {
			gone := slices.ContainsFunc(r.k.forgotten, func(part string) bool { return strings.Contains(d.topic, part) })
			known := slices.ContainsFunc(all, func(e router.Recorded) bool { return e.EventID == d.id })
			if d.topic != topic || d.id == uuid.Nil || gone || known {
				continue
			}
			e := router.Recorded{EventID: d.id, Topic: topic, Payload: d.raw}
			if decoded, err := r.k.store.Catalogue().Decode(d.raw); err == nil {
				e.Key = decoded.Key
			}
			if n, err := strconv.ParseInt(d.metadata.Get(router.MetaSequence), 10, 64); err == nil {
				e.Sequence = n
			}
			all = append(all, e)
		}
	}
	return all
}

// Count implements router.Recorder.
func (r recorder) Count(_ context.Context, topics []string) (int64, error) {
	return int64(len(r.all(topics))), nil
}

// Read implements router.Recorder.
func (r recorder) Read(_ context.Context, topics []string, after string) ([]router.Recorded, string, bool, error) {
	all := r.all(topics)
	if r.k.afterRead != nil {
		r.k.afterRead()
	}
	from := 0
	if after != "" {
		if _, err := fmt.Sscan(after, &from); err != nil {
			return nil, "", false, err
		}
	}
	return all[min(from, len(all)):], strconv.Itoa(len(all)), from < len(all), nil
}
